// What the IAB's own libraries make of consent strings. `write COUNT SEED` makes random ones of both kinds, `read` takes JSON lines
// with kind and text; either way a JSON line comes out for each: {kind, text, tc, usOptOut}.
// `tc`: "granted" (purposes 1, 3, 4 and 7), "denied", "invalid" or null (none is there); `canada`: "denied", "invalid" or null.
// `usOptOut`: whether any US section opts out, null if the string cannot be decoded.
const readline = require('readline');
const { GVL, Segment, TCModel, TCString, PurposeRestriction, RestrictionType } = require('@iabtcf/core');
const { GppModel, Sections } = require('@iabgpp/cmpapi');

const ASKED = [1, 3, 4, 7];
const OPT_OUTS = ['SaleOptOut', 'SharingOptOut', 'TargetedAdvertisingOptOut'];
const MIN_POLICY = 4;

// mulberry32: the same seed makes the same strings.
let state = 0;
function below(limit) {
  state = (state + 0x6d2b79f5) | 0;
  let n = Math.imul(state ^ (state >>> 15), 1 | state);
  n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
  return ((n ^ (n >>> 14)) >>> 0) % limit;
}
const chance = (percent) => below(100) < percent;
const pick = (list) => list[below(list.length)];
const some = (from, to, percent) => {
  const numbers = [];
  for (let n = from; n <= to; n++) if (chance(percent)) numbers.push(n);
  return numbers;
};
// Half of them have what is asked for: without it, hardly any string would be a yes.
const purposes = () => [...new Set([...(chance(50) ? ASKED : []), ...some(1, 11, pick([0, 20, 50, 90]))])];

const vendors = {};
for (let id = 1; id <= 300; id++) {
  vendors[id] = {
    id, name: `Vendor ${id}`, purposes: [1, 2, 3, 4], legIntPurposes: [7, 8, 9], flexiblePurposes: [2, 7, 8, 9], specialPurposes: [1],
    features: [], specialFeatures: [], policyUrl: 'https://vendor.example/', usesCookies: true, cookieMaxAgeSeconds: 1,
    cookieRefresh: false, usesNonCookieAccess: false,
  };
}
const named = (count) => Object.fromEntries([...Array(count)].map((_, n) => [n + 1, { id: n + 1, name: '', description: '', illustrations: [] }]));
const vendorList = (tcfPolicyVersion) => new GVL({
  gvlSpecificationVersion: 3, vendorListVersion: 150, tcfPolicyVersion, lastUpdated: '2026-01-01T00:00:00Z', purposes: named(11),
  specialPurposes: named(3), features: named(3), specialFeatures: named(2), stacks: {}, dataCategories: {}, vendors,
});
const lists = new Map([2, 3, 4, 5].map((policy) => [policy, vendorList(policy)]));

function randomTc() {
  const policy = pick([5, 5, 5, 5, 4, 4, 4, 2]);
  const model = new TCModel(lists.get(policy));
  Object.assign(model, {
    cmpId: pick([7, 10, 28, 300]), cmpVersion: 1 + below(300), consentScreen: below(63), consentLanguage: pick(['DE', 'EN', 'FR', 'PT-BR']),
    publisherCountryCode: pick(['DE', 'FR', 'ZZ']), isServiceSpecific: !chance(10), useNonStandardTexts: chance(10), purposeOneTreatment: chance(10),
  });
  model.purposeConsents.set(purposes());
  model.purposeLegitimateInterests.set(some(7, 11, 50));
  model.specialFeatureOptins.set(some(1, 2, 50));
  const density = pick([0, 0, 1, 10, 60, 100]);
  const highest = pick([5, 40, 300]);
  model.vendorConsents.set(some(1, highest, density));
  model.vendorLegitimateInterests.set(some(1, highest, pick([0, 1, 50])));
  if (chance(40)) model.vendorsDisclosed.set(some(1, highest, pick([1, 50, 100])));
  if (chance(40)) {
    model.publisherConsents.set(some(1, 11, 50));
    model.numCustomPurposes = 3;
    model.publisherCustomConsents.set(some(1, 3, 50));
  }
  for (let n = below(4); n > 0; n--) {
    const restriction = new PurposeRestriction(pick([2, 7, 8, 9]), pick([RestrictionType.NOT_ALLOWED, RestrictionType.REQUIRE_CONSENT]));
    for (const vendor of some(1, 60, 10)) model.publisherRestrictions.add(vendor, restriction);
  }
  const segments = pick([undefined, undefined, [Segment.CORE], [Segment.CORE, Segment.VENDORS_DISCLOSED], [Segment.CORE, Segment.PUBLISHER_TC]]);
  const text = TCString.encode(model, segments && { segments });
  return { kind: 'tc', text, tc: tcOf(model), canada: null, usOptOut: false };
}

function tcOf(model) {
  if (model.version !== 2 || model.policyVersion < MIN_POLICY || !model.isServiceSpecific) return 'invalid';
  return ASKED.every((purpose) => model.purposeConsents.has(purpose)) ? 'granted' : 'denied';
}

function randomValue(section, field, value) {
  if (/SegmentType$|Created|LastUpdated|Language|CountryCode|NumCustom|CustomPurposes|Restrictions/.test(field)) return value;
  if (field === 'Version') return section === 'usnat' ? pick([1, 2]) : value;
  if (field === 'PolicyVersion') return pick([5, 5, 5, 4, 3, 2]);
  if (field === 'MspaVersion') return 1 + below(5);
  if (field === 'MspaCoveredTransaction') return 1 + below(2);
  // The library refuses to write another.
  if (field === 'IsServiceSpecific') return true;
  if (['Notice', 'OptOutSale', 'LspaCovered'].includes(field)) return pick(['Y', 'N', 'N', '-']);
  if (['PurposeConsents', 'PurposesExpressConsent', 'PurposesImpliedConsent'].includes(field)) {
    const given = purposes();
    return value.map((_, index) => given.includes(index + 1));
  }
  if (/^Vendor.*(Consents?|Interests)$/.test(field)) return some(1, pick([5, 40, 900]), pick([0, 1, 50, 100]));
  if (/Version|CmpId|Screen/.test(field)) return 2 + below(60);
  if (OPT_OUTS.includes(field)) return chance(15) ? 1 : pick([0, 2]);
  if (field === 'Gpc') return chance(15);
  if (Array.isArray(value)) return value.map((each) => (typeof each === 'boolean' ? chance(50) : below(3)));
  if (typeof value === 'boolean') return chance(50);
  return typeof value === 'number' ? below(3) : value;
}

const FIRST_FIELDS = { tcfeuv2: 'CmpId', tcfcav1: 'CmpId', uspv1: 'Version' };

function randomGpp() {
  const model = new GppModel();
  const density = pick([4, 4, 10, 15, 50, 100]);
  const chosen = Sections.SECTION_ORDER.filter(() => chance(density));
  for (const section of chosen.length ? chosen : [pick(Sections.SECTION_ORDER)]) {
    const first = FIRST_FIELDS[section] ?? 'SaleOptOut';
    model.setFieldValue(section, first, first === 'CmpId' ? 10 : first === 'Version' ? 1 : 0);
    for (const included of ['GpcSegmentIncluded', 'SensitiveDataConsentSegmentIncluded']) {
      if (model.hasField(section, included)) model.setFieldValue(section, included, chance(50));
    }
    for (const [field, value] of Object.entries(model.getSection(section))) {
      model.setFieldValue(section, field, randomValue(section, field, value));
    }
  }
  return { kind: 'gpp', text: model.encode(), ...gppOf(model) };
}

// A section that cannot be decoded does not hide the others.
function attempt(read, otherwise) {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

function gppOf(model) {
  const has = (section) => model.hasSection(section);
  const get = (section, field) => model.getFieldValue(section, field);
  const european = () => {
    const given = get('tcfeuv2', 'PurposeConsents');
    const isValid = get('tcfeuv2', 'Version') === 2 && get('tcfeuv2', 'PolicyVersion') >= MIN_POLICY && get('tcfeuv2', 'IsServiceSpecific');
    if (!isValid) return 'invalid';
    return ASKED.every((purpose) => given[purpose - 1]) ? 'granted' : 'denied';
  };
  const canadian = () => {
    const [express, implied] = ['PurposesExpressConsent', 'PurposesImpliedConsent'].map((field) => get('tcfcav1', field));
    const asked = ASKED.filter((purpose) => purpose > 1);
    return asked.some((purpose) => !express[purpose - 1] && !implied[purpose - 1]) ? 'denied' : null;
  };
  const optsOut = (section) => {
    if (section === 'uspv1') return get(section, 'OptOutSale') === 'Y';
    const hasGpc = model.hasField(section, 'Gpc') && get(section, 'GpcSegmentIncluded') !== false;
    return OPT_OUTS.some((field) => model.hasField(section, field) && get(section, field) === 1) || (hasGpc && get(section, 'Gpc') === true);
  };
  const us = Sections.SECTION_ORDER.filter((section) => section.startsWith('us') && has(section));
  const optOuts = us.map((section) => attempt(() => optsOut(section), null));
  return {
    tc: has('tcfeuv2') ? attempt(european, 'invalid') : null,
    canada: has('tcfcav1') ? attempt(canadian, 'invalid') : null,
    usOptOut: optOuts.includes(true) || (optOuts.includes(null) ? null : false),
  };
}

function read({ kind, text }) {
  const undecodable = { tc: 'invalid', canada: null, usOptOut: null };
  if (kind === 'tc') return { kind, text, ...attempt(() => ({ tc: tcOf(TCString.decode(text)), canada: null, usOptOut: false }), undecodable) };
  return { kind, text, ...attempt(() => gppOf(new GppModel(text)), undecodable) };
}

const say = (verdict) => process.stdout.write(JSON.stringify(verdict) + '\n');
const [mode, count, seed] = process.argv.slice(2);
if (mode === 'write') {
  state = Number(seed);
  for (let n = 0; n < Number(count); n++) say(n % 2 ? randomGpp() : randomTc());
} else {
  readline.createInterface({ input: process.stdin }).on('line', (line) => say(read(JSON.parse(line))));
}
