//! What do policies cost, one class at a time and all together?
//!
//! For each number of classes: Cedar asked about each class (what anybody would do), sets made once, and sets asked by
//! one identity after another; with policies that all become sets, and with one that does not.

use std::collections::BTreeMap;

use safepassage::policy::{CedarCompiler, Policy, PolicySource, Resource};
use safepassage::system::{Clock, Stopwatch, Timestamp};
use safepassage::{Attribute, Error, Identity, Result, Tenant};

const SCHEMA: &str = "
    entity Group in [Group];
    entity User in [Group] = { level: Long, regions: Set<String> };
    entity Object in [Object];
    entity Document in [Object] = { level: Long, owner: User, teams: Set<Group>, regions: Set<String>, until?: Long };
    action read appliesTo { principal: [User], resource: [Document] };";

const POLICIES: &str = "
    permit(principal, action, resource) when { principal in resource.teams || resource.owner == principal };
    permit(principal in Group::\"g1\", action, resource in Object::\"folder-3\");
    forbid(principal, action, resource) unless { principal.level >= resource.level };
    forbid(principal, action, resource) unless { principal.regions.containsAll(resource.regions) };";

/// One that has to be evaluated class by class.
const ARITHMETIC: &str = "
    forbid(principal, action, resource) when { resource has until && resource.until * 2 > 190 };";

fn identity(n: usize) -> Result<Identity> {
    let groups: Vec<String> = (0..20).map(|g| format!("g{}", (n + g * g) % 400)).collect();
    Identity::asserted(&format!("u{n}"))
        .groups(groups.iter().map(String::as_str))
        .attribute("level", Attribute::Integer((n % 4) as i64))
        .attribute("regions", Attribute::List(vec!["eu".into(), "us".into()]))
        .issue(&Clock::fixed(Timestamp(0)))
}

fn class(n: usize) -> (String, BTreeMap<String, Attribute>) {
    let text = |text: String| Attribute::Text(text);
    let regions = ["eu", "us", "apac"].iter().enumerate().filter(|(i, _)| n >> i & 1 == 1);
    let attributes = [
        ("level", Attribute::Integer((n % 5) as i64)),
        ("owner", text(format!("u{}", n % 5000))),
        ("teams", Attribute::List((0..3).map(|t| format!("g{}", (n * 7 + t * 131) % 400)).collect())),
        ("regions", Attribute::List(regions.map(|(_, region)| (*region).to_owned()).collect())),
        ("until", Attribute::Integer((n % 100) as i64)),
    ];
    (format!("folder-{}", n % 1000), attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn main() -> Result<()> {
    println!("| classes | policies | one by one, ms | sets made once, ms | together, ms | times faster | permitted |");
    println!("|--:|---|--:|--:|--:|--:|--:|");
    for classes in [1, 4, 16, 100, 1000, 10_000, 100_000] {
        for (name, policies) in
            [("4, all sets", POLICIES.to_owned()), ("5, one not", format!("{POLICIES}{ARITHMETIC}"))]
        {
            measure(classes, name, policies)?;
        }
    }
    Ok(())
}

fn measure(classes: usize, name: &str, policies: String) -> Result<()> {
    let source = PolicySource {
        language: "cedar".into(),
        policies,
        schema: SCHEMA.into(),
        entities: String::new(),
        attributes: Vec::new(),
    };
    let policy = CedarCompiler.read(&source)?;
    let tenant = Tenant::default();
    let classes: Vec<_> = (0..classes).map(class).collect();
    let resource = |(object, attributes)| Resource { tenant: &tenant, objects: vec![object], attributes };
    let resources: Vec<Resource<'_>> =
        classes.iter().map(|(object, attributes)| resource((object.as_str(), attributes))).collect();
    let since = Stopwatch::start();
    let over = policy.over(&resources)?;
    let made = since.seconds();

    let times = (20_000 / classes.len()).clamp(1, 200);
    let (mut one_by_one, mut together, mut permitted) = (0.0, 0.0, 0);
    for n in 0..times {
        let identity = identity(n)?;
        let since = Stopwatch::start();
        let plain = policy.permits(&identity, &resources)?;
        one_by_one += since.seconds();
        if let Some(over) = &over {
            let since = Stopwatch::start();
            let answers = over.permits(&identity)?;
            together += since.seconds();
            if answers != plain {
                return Err(Error::corrupted("measure policies", "the two ways differ"));
            }
        }
        permitted += plain.iter().filter(|permitted| **permitted).count();
    }
    let ms = |seconds: f64| seconds * 1000.0 / times as f64;
    let permitted = permitted as f64 / times as f64;
    let plain = ms(one_by_one);
    // A few classes are not worth sets.
    let sets = match over {
        Some(_) => format!("{:.1} | {:.3} | {:.1}", made * 1000.0, ms(together), one_by_one / together),
        None => "– | – | –".to_owned(),
    };
    println!("| {} | {name} | {plain:.2} | {sets} | {permitted:.0} |", classes.len());
    Ok(())
}
