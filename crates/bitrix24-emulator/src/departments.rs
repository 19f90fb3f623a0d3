//! `department.get`.
//!
//! Behavior notes, section 11.2: names count in capitals only, unknown ones are ignored, and beyond
//! the last page the first one comes again.

use crate::pagination::{MethodResult, PageRange, whole_page};
use crate::people::like;
use crate::php::{PhpArray, PhpValue};
use crate::state::{DepartmentRow, PortalState};

const FILTERS: &[&str] = &["ID", "NAME", "SORT", "PARENT", "UF_HEAD"];

/// Returns one page of the matching departments.
pub(super) fn get(
    state: &PortalState,
    parameters: &PhpArray,
    start: Option<&PhpValue>,
) -> MethodResult {
    let wrapped = parameters.at("FILTER").and_then(PhpValue::array);
    let filter =
        |name: &str| wrapped.and_then(|filter| filter.at(name)).or_else(|| parameters.at(name));
    let mut found: Vec<&DepartmentRow> = state
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
            found.sort_by(|left, right| compare(left, right, &sort));
            if named("order").is_some_and(|order| order.eq_ignore_ascii_case("desc")) {
                found.reverse();
            }
        }
        None => found.sort_by_key(|department| (department.left_margin, department.id)),
    }
    let PageRange { from, to, total, next } = whole_page(start, found.len());
    let rows = found
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .map(|department| record(department))
        .collect();
    MethodResult { rows, total: Some(total), next }
}

fn record(department: &DepartmentRow) -> PhpValue {
    let text = |number: i64| PhpValue::Text(number.to_string());
    let mut entries = vec![
        ("ID", text(department.id)),
        ("NAME", PhpValue::from(department.name.as_str())),
        ("SORT", PhpValue::Int(department.sort)),
    ];
    entries.extend(department.parent.map(|parent| ("PARENT", text(parent))));
    entries.extend(department.uf_head.map(|head| ("UF_HEAD", text(head))));
    entries.into_iter().collect()
}

fn compare(left: &DepartmentRow, right: &DepartmentRow, sort: &str) -> std::cmp::Ordering {
    match sort {
        "NAME" => left.name.to_lowercase().cmp(&right.name.to_lowercase()),
        "SORT" => left.sort.cmp(&right.sort),
        "PARENT" => left.parent.cmp(&right.parent),
        "UF_HEAD" => left.uf_head.cmp(&right.uf_head),
        _ => left.id.cmp(&right.id),
    }
    .then(left.id.cmp(&right.id))
}

fn fits(department: &DepartmentRow, name: &str, wanted: &PhpValue) -> bool {
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
    let fits = |wanted: &PhpValue| number.unwrap_or(0) == wanted.to_int();
    match wanted {
        PhpValue::Array(array) => array.values().any(fits),
        other => fits(other),
    }
}
