//! One spelling for all texts that mean the same JSON value.

use serde_json::value::RawValue;

use super::Members;
use super::text::Name;

/// Writes a value of a checked text without whitespace, members by their names, strings with no
/// more escapes than needed.
///
/// Numbers stay as they are written: read as a number, `9007199254740993` would be
/// `9007199254740992`, and two values would pass for one.
pub fn write(value: &RawValue, out: &mut String) {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let mut members = Members::of(value);
            members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            list(out, ['{', '}'], members, |(name, value), out| {
                string(&name, out);
                out.push(':');
                write(value, out);
            });
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            list(out, ['[', ']'], elements, write);
        }
        Some(b'"') => match serde_json::from_str(text) {
            Ok(Name(content)) => string(&content, out),
            Err(_) => out.push_str(text),
        },
        _ => out.push_str(text),
    }
}

fn list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: Vec<T>,
    write_item: impl Fn(T, &mut String),
) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_item(item, out);
    }
    out.push(close);
}

fn string(content: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(content).to_string());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = String::new();
        write(serde_json::from_str(text).expect("JSON"), &mut out);
        out
    }

    #[test]
    fn spelling_does_not_count_and_meaning_does() {
        let plain = r#"{"a":[1.50,"é",null,true],"b":{"c":"\n\"\\","d":{}}}"#;
        assert_eq!(canonical(plain), plain);
        let odd = "{ \"b\": {\"d\" :{ },\"\\u0063\":\"\\u000a\\u0022\\\\\"},\n \
                   \"a\":[ 1.50 , \"\\u00e9\", null,true ] }";
        assert_eq!(canonical(odd), plain);
        for other in [
            plain.replace("1.50", "1.5"),
            plain.replace("null,true", "true,null"),
            plain.replace("null", r#""null""#),
            plain.replace("{}", "[]"),
            plain.replace('é', "e"),
        ] {
            assert_ne!(canonical(&other), plain);
        }
        assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_spelling_of_a_value_is_read_back_as_it_and_written_the_same(value in value()) {
            let spelled = canonical(&value.to_string());
            prop_assert_eq!(&canonical(&format!("{value:#}")), &spelled);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&spelled).expect("JSON"), value);
        }
    }
}
