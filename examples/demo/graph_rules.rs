//! The rules that Meta documents for the Conversions API, as far as a request shows whether they are kept.
//! <https://developers.facebook.com/docs/marketing-api/conversions-api/parameters>

use serde_json::Value;

const DAY: u64 = 24 * 3600;
/// How far in the future an event may lie; Meta does not say.
const TOLERANCE: u64 = 60;
const HASHED: [&str; 10] = ["em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country"];
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SOURCES: [&str; 9] = [
    "email",
    "website",
    "app",
    "phone_call",
    "chat",
    "physical_store",
    "system_generated",
    "business_messaging",
    "other",
];

/// Status, code, subcode and a message.
pub type Refusal = (u16, i64, Option<i64>, String);

pub fn refuse<T>(code: i64, subcode: Option<i64>, message: impl Into<String>) -> Result<T, Refusal> {
    Err((if code == 190 { 401 } else { 400 }, code, subcode, message.into()))
}

/// One wrong event refuses the whole request, as with Meta. `now` in Unix seconds.
pub fn check(body: &Value, events: &[Value], now: u64) -> Result<(), Refusal> {
    if !body["data"].is_array() || events.is_empty() || events.len() > 1000 {
        return refuse(100, None, "data must be an array of 1 to 1000 events");
    }
    if let Some(agent) = body["partner_agent"].as_str()
        && (agent.len() >= 23 || agent.chars().filter(char::is_ascii_alphabetic).count() < 2)
    {
        return refuse(100, None, "partner_agent must have fewer than 23 characters and two letters");
    }
    if !is_absent_or(&body["test_event_code"], Value::is_string) {
        return refuse(100, None, "test_event_code must be text");
    }
    events.iter().try_for_each(|event| check_event(event, now))
}

fn is_absent_or(value: &Value, is_right: impl Fn(&Value) -> bool) -> bool {
    value.is_null() || is_right(value)
}

fn check_event(event: &Value, now: u64) -> Result<(), Refusal> {
    if event["event_name"].as_str().is_none_or(str::is_empty) {
        return refuse(100, Some(2_804_019), "event_name is missing");
    }
    let source = event["action_source"].as_str().unwrap_or_default();
    if !SOURCES.contains(&source) {
        return refuse(100, None, "action_source is missing or unknown");
    }
    let oldest = if source == "physical_store" { 62 * DAY } else { 7 * DAY };
    match event["event_time"].as_u64() {
        None => return refuse(100, None, "event_time must be Unix seconds"),
        Some(time) if time + oldest < now => return refuse(100, Some(2_804_003), "event_time is too old"),
        Some(time) if time > now + TOLERANCE => return refuse(100, Some(2_804_004), "event_time is in the future"),
        Some(_) => {}
    }
    if source == "website" && !event["event_source_url"].is_string() {
        return refuse(100, None, "action_source website needs event_source_url");
    }
    for key in ["event_id", "event_source_url", "referrer_url"] {
        if !is_absent_or(&event[key], Value::is_string) {
            return refuse(100, None, format!("{key} must be text"));
        }
    }
    if !is_absent_or(&event["opt_out"], Value::is_boolean) {
        return refuse(100, None, "opt_out must be true or false");
    }
    check_options(event)?;
    check_user_data(&event["user_data"])?;
    check_custom_data(event)
}

/// Limited Data Use.
fn check_options(event: &Value) -> Result<(), Refusal> {
    let options = &event["data_processing_options"];
    let is_list = options.is_array() && options.as_array().iter().flat_map(|list| list.iter()).all(|one| one == "LDU");
    if !is_absent_or(options, |_| is_list) {
        return refuse(100, None, "data_processing_options must be [] or [\"LDU\"]");
    }
    if options.as_array().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let (country, state) = (&event["data_processing_options_country"], &event["data_processing_options_state"]);
    let is_known = matches!((country.as_u64(), state.as_u64()), (Some(0 | 1), Some(0)) | (Some(1), Some(1000..=1013)));
    if is_known { Ok(()) } else { refuse(100, Some(2_804_030), "LDU needs a country and a state") }
}

fn check_user_data(user_data: &Value) -> Result<(), Refusal> {
    let empty = serde_json::Map::new();
    let data = user_data.as_object().unwrap_or(&empty);
    for (key, value) in data {
        let values: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        let texts: Vec<_> = values.iter().filter_map(|value| value.as_str()).collect();
        if texts.len() != values.len() || texts.is_empty() {
            return refuse(100, None, format!("{key} must be text"));
        }
        if (HASHED.contains(&key.as_str()) || key == "external_id") && !texts.iter().all(|text| is_hash(text)) {
            return refuse(100, None, format!("{key} must be a SHA-256 hash"));
        }
        if matches!(key.as_str(), "fbc" | "fbp") && !texts.iter().all(|text| is_click_id(text)) {
            return refuse(100, Some(2_804_001), format!("{key} is malformed"));
        }
        if key == "client_ip_address" && texts[0].parse::<std::net::IpAddr>().is_err() {
            return refuse(100, None, "client_ip_address is no address");
        }
        if matches!(key.as_str(), "client_ip_address" | "client_user_agent") && texts.iter().any(|text| is_hash(text)) {
            return refuse(100, None, format!("{key} must not be hashed"));
        }
        let is_lead = |text: &&str| (15..=17).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if key == "lead_id" && !texts.iter().all(is_lead) {
            return refuse(100, Some(2_804_036), "lead_id must have 15 to 17 digits");
        }
    }
    let weak: [&[&str]; 4] = [
        &["ct", "country", "st", "zp", "ge", "client_user_agent"],
        &["db", "client_user_agent"],
        &["fn", "ge"],
        &["ln", "ge"],
    ];
    if weak.iter().any(|set| data.keys().all(|key| set.contains(&key.as_str()))) {
        return refuse(100, Some(2_804_050), "not enough user_data");
    }
    Ok(())
}

fn check_custom_data(event: &Value) -> Result<(), Refusal> {
    let custom = &event["custom_data"];
    if !is_absent_or(custom, Value::is_object) {
        return refuse(100, Some(2_804_016), "custom_data must be an object");
    }
    if !custom["value"].is_null() && !custom["currency"].is_string() {
        return refuse(100, Some(2_804_023), "value needs a currency");
    }
    let is_code =
        |text: &Value| text.as_str().is_some_and(|t| t.len() == 3 && t.bytes().all(|b| b.is_ascii_alphabetic()));
    if !is_absent_or(&custom["currency"], is_code) {
        return refuse(100, None, "currency must be an ISO 4217 code");
    }
    if event["event_name"] == "Purchase" && custom["value"].is_null() {
        return refuse(100, Some(2_804_009), "a Purchase needs a value");
    }
    let contents = custom["contents"].as_array().map(Vec::as_slice).unwrap_or_default();
    if contents.iter().any(|one| one["id"].is_null()) {
        return refuse(100, Some(2_804_008), "contents need ids");
    }
    Ok(())
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) && text != EMPTY_HASH
}

fn is_click_id(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.len(), 4 | 5) && parts[0] == "fb" && digits(parts[1]) && digits(parts[2]) && !parts[3].is_empty()
}
