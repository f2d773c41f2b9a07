//! The sizes: what the pollers may start is what is reserved.

use std::collections::BTreeMap;

use super::blocks;

/// The section `Mappings`, by size and name.
fn sizes(template: &str) -> BTreeMap<&str, BTreeMap<&str, u32>> {
    let (_, text) = template.split_once("\nMappings:\n  Scale:\n").unwrap_or_default();
    let (text, _) = text.split_once("\nConditions:\n").unwrap_or((text, ""));
    let mut found: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    let mut size = "";
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((name, value)) = line.trim().split_once(':') else { continue };
        match value.trim().parse() {
            Ok(number) => {
                found.entry(size).or_default().insert(name, number);
            }
            Err(_) if value.is_empty() => size = name,
            Err(_) => {}
        }
    }
    found
}

/// What does not add up.
pub(super) fn sums(template: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (size, numbers) in sizes(template) {
        let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
        let (events, retries) = (number("Events"), number("Retries"));
        if events + retries != number("Delivery") {
            found.push(format!("{size}: {events} + {retries} is not what is reserved"));
        }
        // What Lambda takes as MaximumConcurrency of a mapping.
        for share in [events, retries] {
            if !(2..=1000).contains(&share) {
                found.push(format!("{size}: {share} is no MaximumConcurrency"));
            }
        }
        // The listener and the key set have so many each.
        if number("PublicPerSecond") * 20 > number("RequestsPerSecond") {
            found.push(format!("{size}: the public routes have more than a tenth"));
        }
    }
    let (_, resources) = template.split_once("\nResources:\n").unwrap_or_default();
    let delivery = blocks(resources).get("DeliveryFunction").copied().unwrap_or_default();
    for line in [
        "!If [ScaleIsReserved, !FindInMap [Scale, !Ref Scale, Delivery], !Ref AWS::NoValue]",
        "MaximumConcurrency: !FindInMap [Scale, !Ref Scale, Events]",
        "MaximumConcurrency: !FindInMap [Scale, !Ref Scale, Retries]",
    ] {
        if !delivery.contains(line) {
            found.push(format!("DeliveryFunction: {line} is missing"));
        }
    }
    found
}

#[test]
fn all_sizes_are_read() {
    let template = crate::read("template.yaml");
    let sizes = sizes(&template);
    let names: Vec<&str> = sizes.keys().copied().collect();
    assert_eq!(names, ["large", "largest", "medium", "small", "trial"]);
    assert!(sizes.values().all(|numbers| numbers.len() == 6), "{sizes:?}");
}
