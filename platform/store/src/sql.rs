//! How stores on SQL databases call things, so that whoever looks with `sqlite3` or `psql` finds the same names.

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
