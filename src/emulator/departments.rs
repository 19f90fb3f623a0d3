//! `department.get`.
//!
//! Behaviour notes, section 11.2: names count in capitals only, what is not known is ignored, and
//! beyond the last page the first one comes again.

use super::listing::{Listed, Page, whole_page};
use super::people::like;
use super::php::{Array, Php};
use super::state::{Department, State};

const FILTERS: &[&str] = &["ID", "NAME", "SORT", "PARENT", "UF_HEAD"];

/// The departments that fit, a page of them.
pub(super) fn get(state: &State, parameters: &Array, start: Option<&Php>) -> Listed {
    let wrapped = parameters.at("FILTER").and_then(Php::array);
    let filter =
        |name: &str| wrapped.and_then(|filter| filter.at(name)).or_else(|| parameters.at(name));
    let mut found: Vec<&Department> = state
        .departments
        .iter()
        .filter(|department| department.active)
        .filter(|department| {
            FILTERS
                .iter()
                .all(|name| filter(name).is_none_or(|wanted| fits(department, name, wanted)))
        })
        .collect();
    let named = |wanted: &str| {
        parameters
            .iter()
            .find(|(key, _)| key.to_string().eq_ignore_ascii_case(wanted))
            .and_then(|(_, value)| value.text())
    };
    match named("sort").map(str::to_uppercase).filter(|sort| FILTERS.contains(&sort.as_str())) {
        Some(sort) => {
            found.sort_by(|one, other| compare(one, other, &sort));
            if named("order").is_some_and(|order| order.eq_ignore_ascii_case("desc")) {
                found.reverse();
            }
        }
        None => found.sort_by_key(|department| (department.left_margin, department.id)),
    }
    let Page { from, to, total, next } = whole_page(start, found.len());
    let rows = found
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .map(|department| record(department))
        .collect();
    Listed { rows, total: Some(total), next }
}

fn record(department: &Department) -> Php {
    let text = |number: i64| Php::Text(number.to_string());
    let mut entries = vec![
        ("ID", text(department.id)),
        ("NAME", Php::from(department.name.as_str())),
        ("SORT", Php::Int(department.sort)),
    ];
    entries.extend(department.parent.map(|parent| ("PARENT", text(parent))));
    entries.extend(department.uf_head.map(|head| ("UF_HEAD", text(head))));
    entries.into_iter().collect()
}

fn compare(one: &Department, other: &Department, sort: &str) -> std::cmp::Ordering {
    match sort {
        "NAME" => one.name.to_lowercase().cmp(&other.name.to_lowercase()),
        "SORT" => one.sort.cmp(&other.sort),
        "PARENT" => one.parent.cmp(&other.parent),
        "UF_HEAD" => one.uf_head.cmp(&other.uf_head),
        _ => one.id.cmp(&other.id),
    }
    .then(one.id.cmp(&other.id))
}

fn fits(department: &Department, name: &str, wanted: &Php) -> bool {
    let number = match name {
        "NAME" => {
            let text = department.name.to_lowercase();
            let wanted = wanted.scalar_text().unwrap_or_default().to_lowercase();
            return like(&text, &wanted);
        }
        "ID" => Some(department.id),
        "SORT" => Some(department.sort),
        "PARENT" => department.parent,
        _ => department.uf_head,
    };
    let fits = |wanted: &Php| number.unwrap_or(0) == wanted.to_int();
    match wanted {
        Php::Array(array) => array.values().any(fits),
        other => fits(other),
    }
}
