"""What Meta's Python libraries make of each line of stdin ({"field", "input"}): one JSON line each, by library.

A library that offers no normalisation answers null; one that raises for a value answers {"raised": true}, and one that leaves it
out {"sent": null}.
"""
import json
import sys

from capi_param_builder import ParamBuilder
from facebook_business.adobjects.serverside.gender import Gender
from facebook_business.adobjects.serverside.user_data import UserData

LISTS = {
    "em": "emails", "ph": "phones", "fn": "first_names", "ln": "last_names", "ct": "cities", "st": "states",
    "zp": "zip_codes", "country": "country_codes", "db": "dates_of_birth", "ge": "genders", "external_id": "external_ids",
}


def business_sdk(field, value):
    if field == "ge":
        # It takes its own two constants only: a caller can do no more than look the word up among them.
        word = value.strip()
        value = Gender(word.lower()) if word.lower() in ("f", "m") else Gender[word.upper()]
    sent = UserData(**{LISTS[field]: [value]}).normalize().get(field)
    return sent[0] if sent else None


def answer(library, field, value):
    if library is None:
        return None
    try:
        return {"sent": library(field, value)}
    except Exception:
        return {"raised": True}


# Its siblings in other languages have this method; should it come, it is measured.
builder = getattr(ParamBuilder(["example.com"]), "get_normalized_and_hashed_pii", None)
NAMES = {
    "em": "email", "ph": "phone", "fn": "first_name", "ln": "last_name", "ct": "city", "st": "state", "zp": "zip_code",
    "country": "country", "db": "date_of_birth", "ge": "gender", "external_id": "external_id",
}
param_builder = builder and (lambda field, value: builder(value, NAMES[field]))

for line in sys.stdin.buffer:
    row = json.loads(line)
    print(json.dumps({
        "facebook-business": answer(business_sdk, row["field"], row["input"]),
        "capi_param_builder_python": answer(param_builder, row["field"], row["input"]),
    }))
