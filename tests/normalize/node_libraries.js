// What Meta's Node libraries make of each line of stdin ({"field", "input"}): one JSON line each, by library. A library that throws
// for a value answers {"raised": true}, and one that leaves it out {"sent": null}.
const readline = require('readline');
const { ParamBuilder } = require('capi-param-builder-nodejs');
const { UserData } = require('facebook-nodejs-business-sdk');

const NAMES = {
  em: 'email', ph: 'phone', fn: 'first_name', ln: 'last_name', ct: 'city', st: 'state', zp: 'zip_code', country: 'country',
  db: 'date_of_birth', ge: 'gender', external_id: 'external_id',
};
const SETTERS = {
  em: 'setEmails', ph: 'setPhones', fn: 'setFirstNames', ln: 'setLastNames', ct: 'setCities', st: 'setStates', zp: 'setZips',
  country: 'setCountries', db: 'setDatesOfBirth', ge: 'setGenders', external_id: 'setExternalIds',
};
const builder = new ParamBuilder(['example.com']);

const libraries = {
  'capi-param-builder-nodejs': (field, value) => builder.getNormalizedAndHashedPII(value, NAMES[field]),
  'facebook-nodejs-business-sdk': (field, value) => {
    const sent = new UserData()[SETTERS[field]]([value]).normalize()[field];
    return Array.isArray(sent) ? sent[0] : sent;
  },
};

function answer(library, row) {
  try {
    return { sent: library(row.field, row.input) || null };
  } catch {
    return { raised: true };
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const row = JSON.parse(line);
  const answers = Object.entries(libraries).map(([name, library]) => [name, answer(library, row)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(answers)) + '\n');
});
