//! How stores on SQL databases call things, so that whoever looks with `sqlite3`, `psql` or `mariadb` finds the same names.
use crate::Layout;
use std::collections::BTreeSet;

/// An identifier as SQL writes it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
/// A text as SQL writes it.
pub fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
/// The table of a pool's entries, quoted.
pub fn entries(table: &str) -> String {
    quoted(&format!("{table}_entry"))
}
/// The column of an index key, quoted.
pub fn key(name: &str) -> String {
    quoted(&format!("key_{name}"))
}
/// The plain view of a table, as the shop's people know it: `ShopManagement_table`.
pub fn view(table: &str) -> String {
    let mut letters = table.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}_table", first.chain(letters).collect::<String>())
}
/// Whether every name that the database would hold is there once, beside those that the store itself takes.
///
/// # Errors
/// The table that would take a name a second time, and the name.
pub fn names(layout: &Layout, own: &[&str]) -> Result<(), (&'static str, String)> {
    let mut taken = own.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    for table in layout {
        let entry = table.entries.then(|| format!("{}_entry", table.name));
        for name in [Some(table.name.to_owned()), Some(view(table.name)), entry].into_iter().flatten() {
            if !taken.insert(name.clone()) {
                return Err((table.name, name));
            }
        }
    }
    Ok(())
}
