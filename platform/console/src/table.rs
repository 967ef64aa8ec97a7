//! The door table of a system, read from the contexts' OpenAPI documents: who may do what, where.
use crate::fields::Field;
use serde_json::Value;

/// One collection of one context.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    pub(crate) context: String,
    pub(crate) name: String,
    /// The root of the cases whose numbers its rows have.
    pub(crate) case: Option<String>,
    /// By which fields it can be filtered.
    pub(crate) keys: Vec<String>,
    pub(crate) fields: Vec<Field>,
    /// What stands beside the rows of a page: what all of them sum up to.
    pub(crate) totals: Vec<Field>,
    /// Who sees it; nobody is named where everybody does.
    pub(crate) seen_by: Vec<String>,
    pub(crate) open: Option<Line>,
    pub(crate) edit: Option<Line>,
    pub(crate) commands: Vec<Line>,
}
/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) roles: Vec<String>,
    pub(crate) fields: Vec<Field>,
}

impl Collection {
    /// The collections that a document names.
    pub(crate) fn all(context: &str, document: &Value) -> Vec<Collection> {
        let Some(paths) = document["paths"].as_object() else { return Vec::new() };
        let tops = paths
            .iter()
            .filter_map(|(path, at)| Some((path.strip_prefix('/').filter(|name| !name.is_empty() && !name.contains('/'))?, at)))
            .filter(|(name, _)| document["components"]["schemas"].get(*name).is_some());
        tops.map(|(name, at)| Collection::read(context, name, at, document)).collect()
    }
    fn read(context: &str, name: &str, at: &Value, document: &Value) -> Self {
        let of = |path: &str| &document["paths"][path];
        let prefix = format!("/{name}/{{id}}/");
        let commands = document["paths"].as_object().into_iter().flatten().filter_map(|(path, at)| {
            let command = path.strip_prefix(&prefix)?;
            Line::read(command, &at["put"], document)
        });
        let keys = at["get"]["parameters"].as_array().into_iter().flatten();
        let keys = keys.filter(|parameter| parameter["in"] == "query").filter_map(|parameter| parameter["name"].as_str());
        const TURNING: [&str; 5] = ["page", "size", "sort", "after", "stream"];
        Collection {
            context: context.to_owned(),
            name: name.to_owned(),
            case: at["get"]["x-case"].as_str().map(str::to_owned),
            keys: keys.filter(|key| !TURNING.contains(key)).map(str::to_owned).collect(),
            fields: Field::all(resolved(&document["components"]["schemas"][name], document)),
            totals: Field::all(&document["components"]["schemas"][format!("{name}.page")])
                .into_iter()
                .filter(|field| field.name != "page")
                .collect(),
            seen_by: names(&at["get"]["x-seen-by"]),
            open: Line::read("open", &at["post"], document),
            edit: Line::read("edit", &of(&format!("/{name}/{{id}}"))["patch"], document),
            commands: commands.collect(),
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.open.iter().chain(&self.edit).chain(&self.commands)
    }
    /// Who can do something there.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.lines().flat_map(|line| &line.roles).map(String::as_str)
    }
    pub(crate) fn is_seen_by(&self, role: &str) -> bool {
        self.seen_by.is_empty() || self.seen_by.iter().any(|seen| seen == role)
    }
    /// Whether anything can be wished there; else it is only looked at.
    pub(crate) fn is_view(&self) -> bool {
        self.lines().next().is_none()
    }
    pub(crate) fn command(&self, name: &str) -> Option<&Line> {
        self.commands.iter().find(|line| line.name == name)
    }
    /// Where the console shows it.
    pub(crate) fn at(&self) -> String {
        format!("/app/{}/{}", self.context, self.name)
    }
    /// The fields that a table has room for, in the schema's order.
    pub(crate) fn columns(&self) -> Vec<&Field> {
        const ROOM: usize = 7;
        let case_itself =
            |name: &str| self.case.as_ref().is_some_and(|case| name == format!("{case}No") || name == format!("{case}Id"));
        let mut fields = self
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.name != "id" && !case_itself(&field.name))
            .collect::<Vec<_>>();
        fields.sort_by_key(|(_, field)| field.weight(&self.keys));
        fields.truncate(ROOM);
        fields.sort_by_key(|(index, _)| *index);
        fields.into_iter().map(|(_, field)| field).collect()
    }
}

impl Line {
    fn read(name: &str, operation: &Value, document: &Value) -> Option<Self> {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let roles = names(&operation["x-roles"]);
        let fields = || Field::all(resolved(schema, document));
        (!roles.is_empty()).then(|| Line { name: name.to_owned(), fields: fields(), roles })
    }
    pub(crate) fn is_for(&self, role: &str) -> bool {
        self.roles.iter().any(|may| may == role)
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What a `$ref` into the same document stands for.
fn resolved<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    let named = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/components/schemas/"));
    named.map_or(schema, |name| &document["components"]["schemas"][name])
}
