//! The document of a context, from its table: what it names is what the doors do, and all that they do.
use crate::{
    problem::status,
    query::{LAST_PAGE, MOST, USUAL},
};
use jumun_model::{EXACT, Schema, SchemaGenerator, hidden};
use jumun_runtime::door::{Collection, Line, Verb};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// OpenAPI 3.1 of a context's collections, as the context serves it under `/openapi.json`.
pub fn document<'a>(system: &str, context: &str, doors: impl IntoIterator<Item = &'a dyn Collection>) -> Value {
    let mut schemas = Map::from_iter([("problem".to_owned(), problem_schema()), ("links".to_owned(), links_schema())]);
    let mut paths =
        Map::from_iter([("/".to_owned(), json!({ "get": index() })), ("/caller".to_owned(), json!({ "get": caller() }))]);
    for door in doors {
        let named = Named::of(door);
        let row = row_schema(&mut schemas, door);
        schemas.insert(named.name.to_owned(), row);
        let totals = generated(&mut schemas, SchemaSettings::for_serialize, |to| door.totals(to).unwrap_or_default());
        schemas.insert(format!("{}.page", named.name), page_schema(named.name, totals));
        for line in door.lines() {
            if let Some(body) = line.body {
                let schema = generated(&mut schemas, SchemaSettings::for_deserialize, body);
                schemas.insert(named.body(line.verb), schema);
            }
        }
        paths.extend(named.paths(&schemas));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("{system}: {context}"),
            "version": env!("CARGO_PKG_VERSION"),
            "description": "HAL+JSON. Unknown fields and query parameters are passed over. A *no* is `application/problem+json` with a \
                stable `code`, in the language of `Accept-Language` (en, ko). Every answer carries its `traceparent`. `x-roles` are those who may, \
                `x-seen-by` those who may look; \
                `x-case` the root of the cases whose numbers the rows have.",
        },
        "paths": paths,
        // nobody has to say who they are where access is open
        "security": [{ "bearer": [] }, {}],
        "components": { "schemas": schemas, "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } } },
    })
}

/// One collection and what its parts are called.
struct Named<'a> {
    door: &'a dyn Collection,
    name: &'static str,
}

impl<'a> Named<'a> {
    fn of(door: &'a dyn Collection) -> Self {
        Named { door, name: door.path().trim_start_matches('/') }
    }
    fn body(&self, verb: Verb) -> String {
        match verb {
            Verb::Open => format!("{}.open", self.name),
            Verb::Edit => format!("{}.edit", self.name),
            Verb::Command(name) => format!("{}.{name}", self.name),
        }
    }
    /// An operation's id: `cancelOrders`.
    fn id(&self, verb: &str) -> String {
        let (first, rest) = self.name.split_at_checked(1).unwrap_or_default();
        format!("{verb}{}{rest}", first.to_ascii_uppercase())
    }
    fn operation(&self, verb: &str, summary: String, parameters: Vec<Value>, responses: Responses) -> Value {
        json!({ "operationId": self.id(verb), "tags": [self.name], "summary": summary, "parameters": parameters, "responses": responses.problems(&[401, 403]).0 })
    }

    /// Its paths and what can be done there.
    fn paths(&self, schemas: &Map<String, Value>) -> Vec<(String, Value)> {
        let (path, name) = (self.door.path(), self.name);
        let mut all = Map::from_iter([("get".to_owned(), self.list())]);
        let mut one = Map::from_iter([("get".to_owned(), self.item())]);
        let mut paths = Vec::new();
        for line in self.door.lines() {
            match line.verb {
                Verb::Open => {
                    all.insert("post".to_owned(), self.open(line, schemas));
                }
                Verb::Edit => {
                    let responses = self.answers(line).problems(&[400, 408, 413, 415, 422]);
                    let mut edit = self.operation("edit", format!("Changes one of {name}"), vec![id(), if_match()], responses);
                    edit["requestBody"] = self.request(line, schemas);
                    edit["x-roles"] = json!(line.roles);
                    let put = json!({ "operationId": self.id("put") });
                    one.insert("put".to_owned(), merged(edit.clone(), put));
                    one.insert("patch".to_owned(), edit);
                }
                Verb::Command(verb) => {
                    let unread: &[u16] = if line.body.is_some() { &[400, 408, 413, 415, 422] } else { &[400] };
                    let responses = self.answers(line).problems(unread);
                    let mut command =
                        self.operation(verb, format!("{verb}: on one of {name}"), vec![id(), if_match()], responses);
                    command["x-roles"] = json!(line.roles);
                    if line.body.is_some() {
                        command["requestBody"] = self.request(line, schemas);
                    }
                    if line.deletes {
                        let delete = json!({ "operationId": self.id("delete"), "summary": format!("{verb}, of one of {name}") });
                        one.insert("delete".to_owned(), merged(command.clone(), delete));
                    }
                    paths.push((format!("{path}/{{id}}/{verb}"), json!({ "put": command })));
                }
            }
        }
        [(path.to_owned(), Value::Object(all)), (format!("{path}/{{id}}"), Value::Object(one))].into_iter().chain(paths).collect()
    }

    fn list(&self) -> Value {
        let keys = self.door.keys();
        let fields = std::iter::once("id").chain(keys.iter().copied());
        let orders =
            fields.flat_map(|field| [field.to_owned(), format!("{field},asc"), format!("{field},desc")]).collect::<Vec<_>>();
        let integer =
            |least: u64, most: u64, usual: u64| json!({ "type": "integer", "minimum": least, "maximum": most, "default": usual });
        let position = json!({ "type": "integer", "minimum": 0, "maximum": EXACT });
        let mut parameters = vec![
            parameter("page", "query", "Which page, from 0", integer(0, LAST_PAGE, 0)),
            parameter("size", "query", "How many on a page", integer(1, MOST, USUAL)),
            parameter("sort", "query", "In what order", json!({ "type": "string", "enum": orders, "default": "id" })),
            parameter("after", "query", "Of a stream: what was written after that event", position.clone()),
            parameter("Last-Event-ID", "header", "Of a stream: the last event seen", position),
        ];
        let filter = |key: &&str| parameter(key, "query", &format!("Only those with this {key}"), json!({ "type": "string" }));
        parameters.extend(keys.iter().map(filter));
        let responses = Responses::default().with(
            200,
            "A page. With `Accept: text/event-stream` a stream instead: each row that is written, in its newest state; its `id` is a \
                position that `Last-Event-ID` takes, and who comes back with it misses nothing.",
            json!({}),
            json!({
                "application/hal+json": { "schema": { "$ref": format!("#/components/schemas/{}.page", self.name) } },
                "text/event-stream": { "schema": { "type": "string" } },
            }),
        );
        let mut list =
            self.operation("list", format!("A part of {}", self.name), parameters, responses.problems(&[400, 500, 503]));
        list["x-seen-by"] = self.door.sight().roles().collect();
        if let Some(root) = self.door.root() {
            list["x-case"] = root.into();
        }
        list
    }
    fn item(&self) -> Value {
        let unchanged = Responses::default().with(304, "It is still at that version", json!({ "ETag": etag() }), Value::Null);
        let responses = unchanged.with(200, "It", json!({ "ETag": etag() }), self.content()).problems(&[400, 404, 500, 503]);
        let parameters = vec![id(), parameter("If-None-Match", "header", "Only if it is at another version", tags())];
        self.operation("get", format!("One of {}", self.name), parameters, responses)
    }
    fn open(&self, line: &Line, schemas: &Map<String, Value>) -> Value {
        let key = json!({ "type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255 });
        let key = parameter("Idempotency-Key", "header", "A repeat with the same key and body is answered as the first was", key);
        let headers = json!({ "ETag": etag(), "Location": location() });
        let mut opened = Responses::default().with(201, "It was opened", headers, self.content());
        opened.0["201"]["links"] = self.links();
        if line.chosen {
            opened = opened.with(200, "It is there already, and is the same", json!({ "ETag": etag() }), self.content());
        }
        let responses = opened.may_wait(self, line).refusals(line).problems(&[400, 408, 413, 415, 422, 500, 503]);
        let mut open = self.operation("open", format!("Opens one of {}", self.name), vec![key], responses);
        open["requestBody"] = self.request(line, schemas);
        open["x-roles"] = json!(line.roles);
        open
    }
    /// What can be done with what was opened.
    fn links(&self) -> Value {
        let verbs = self.door.lines().iter().filter_map(|line| match line.verb {
            Verb::Command(name) => Some(name),
            Verb::Edit => Some("edit"),
            Verb::Open => None,
        });
        let link = |verb: &str| json!({ "operationId": self.id(verb), "parameters": { "id": "$response.body#/id" } });
        std::iter::once("get").chain(verbs).map(|verb| (verb.to_owned(), link(verb))).collect::<Map<_, _>>().into()
    }
    /// The answers of a line on one that is there.
    fn answers(&self, line: &Line) -> Responses {
        let done = Responses::default().with(200, "It, afterwards", json!({ "ETag": etag() }), self.content());
        done.may_wait(self, line).refusals(line).problems(&[404, 412, 500, 503])
    }
    fn content(&self) -> Value {
        json!({ "application/hal+json": { "schema": { "$ref": format!("#/components/schemas/{}", self.name) } } })
    }
    fn request(&self, line: &Line, schemas: &Map<String, Value>) -> Value {
        let name = self.body(line.verb);
        let schema = schemas.get(&name).unwrap_or(&Value::Null);
        let required = schema["required"].as_array().is_some_and(|fields| !fields.is_empty());
        let mut content = json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } });
        if let Some(example) = example(schema) {
            content["example"] = example;
        }
        json!({ "required": required, "content": { "application/json": content } })
    }
}

/// An operation that differs from another in these.
fn merged(mut operation: Value, differs: Value) -> Value {
    if let (Value::Object(operation), Value::Object(differs)) = (&mut operation, differs) {
        operation.extend(differs);
    }
    operation
}

/// Responses by status.
#[derive(Default)]
struct Responses(Map<String, Value>);
impl Responses {
    fn with(mut self, status: u16, description: &str, headers: Value, content: Value) -> Self {
        let mut response = json!({ "description": description });
        for (name, part) in [("headers", headers), ("content", content)] {
            if part.as_object().is_some_and(|part| !part.is_empty()) {
                response[name] = part;
            }
        }
        self.0.insert(status.to_string(), response);
        self
    }
    fn problems(self, statuses: &[u16]) -> Self {
        statuses.iter().fold(self, |responses, status| {
            let description = match status {
                400 => "The request can not be read; `field` names what is wrong",
                401 => "Nobody who is known here",
                402 => "It has to be paid first",
                403 => "Not for this caller",
                404 => "There is no such thing",
                408 => "The body did not arrive in time",
                409 => "Not in this state",
                412 => "It is at another version",
                413 => "The body is too large",
                415 => "The body is not JSON",
                422 => "The request makes no sense; `field` names what is wrong",
                503 => "Not available now",
                _ => "A fault of ours",
            };
            let headers = match status {
                401 => json!({ "WWW-Authenticate": { "required": true, "schema": { "type": "string" } } }),
                503 => json!({ "Retry-After": retry_after() }),
                _ => json!({}),
            };
            let problem = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/problem" } } });
            responses.with(*status, description, headers, problem)
        })
    }
    fn refusals(self, line: &Line) -> Self {
        let statuses = line.refuses.iter().map(|kind| status(*kind).as_u16()).collect::<Vec<_>>();
        self.problems(&statuses)
    }
    fn may_wait(self, named: &Named<'_>, line: &Line) -> Self {
        if !line.waits {
            return self;
        }
        let row = json!({ "$ref": format!("#/components/schemas/{}", named.name) });
        let told = json!({ "type": "object", "properties": { "message": { "type": "string" } }, "required": ["message"] });
        let content = json!({ "application/hal+json": { "schema": { "allOf": [row, told] } } });
        let headers = json!({ "ETag": etag(), "Location": location(), "Retry-After": retry_after() });
        self.with(202, "Taken, and not decided yet: look again a little later", headers, content)
    }
}

fn index() -> Value {
    let schema =
        json!({ "type": "object", "properties": { "_links": { "$ref": "#/components/schemas/links" } }, "required": ["_links"] });
    let responses =
        Responses::default().with(200, "Where everything is", json!({}), json!({ "application/hal+json": { "schema": schema } }));
    json!({ "operationId": "index", "summary": "Where everything is", "responses": responses.problems(&[500]).0 })
}
fn caller() -> Value {
    let text = json!({ "type": "string" });
    let schema = json!({
        "type": "object",
        "properties": {
            "access": { "enum": ["open", "known"], "description": "Whether callers have to say who they are" },
            "name": text,
            "roles": { "type": "array", "items": text, "description": "All that doors here name, where access is open" },
        },
        "required": ["access", "name", "roles"],
    });
    let content = json!({ "application/json": { "schema": schema } });
    let responses = Responses::default().with(200, "Who the caller is here", json!({}), content);
    json!({ "operationId": "caller", "summary": "Who the caller is here", "responses": responses.problems(&[400, 401, 500, 503]).0 })
}
fn parameter(name: &str, place: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": place, "description": description, "required": place == "path", "schema": schema })
}
fn id() -> Value {
    parameter("id", "path", "Its number", json!({ "type": "integer", "minimum": 1, "maximum": EXACT }))
}
fn if_match() -> Value {
    parameter("If-Match", "header", "Only if it is at this version", tags())
}
fn tags() -> Value {
    let list = r#"^(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*$"#;
    json!({ "anyOf": [{ "const": "*" }, { "type": "string", "pattern": list, "examples": ["\"1\""] }] })
}
fn etag() -> Value {
    json!({ "description": "Its version", "required": true, "schema": { "type": "string", "pattern": "^\"[0-9]+\"$" } })
}
fn location() -> Value {
    json!({ "description": "Where it is", "required": true, "schema": { "type": "string" } })
}
fn retry_after() -> Value {
    json!({ "description": "Seconds", "required": true, "schema": { "type": "integer" } })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "A sentence in the caller's language" },
            "code": { "type": "string", "description": "Stable, for programs" },
            "instance": { "type": "string", "description": "What the refusal left behind" },
            "field": { "type": "string", "description": "What is wrong" },
        },
        "required": ["type", "title", "status", "detail", "code"],
    })
}
fn links_schema() -> Value {
    let link = json!({
        "type": "object",
        "properties": { "href": { "type": "string" }, "title": { "type": "string" } },
        "required": ["href"],
    });
    json!({ "type": "object", "properties": { "self": link }, "required": ["self"], "additionalProperties": link })
}
fn page_schema(name: &str, mut totals: Value) -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let rows = json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } });
    let mut page = json!({
        "type": "object",
        "properties": {
            "_embedded": { "type": "object", "properties": { name: rows }, "required": [name] },
            "_links": { "$ref": "#/components/schemas/links" },
            "page": {
                "type": "object",
                "properties": { "size": count, "totalElements": count, "totalPages": count, "number": count },
                "required": ["size", "totalElements", "totalPages", "number"],
            },
        },
        "required": ["_embedded", "_links", "page"],
    });
    // who does not see all rows does not see their sums, so none is required
    if let (Some(properties), Some(sums)) = (page["properties"].as_object_mut(), totals["properties"].as_object_mut()) {
        properties.append(sums);
    }
    page
}

/// The schema of a type; what it has to name elsewhere (types that contain themselves) goes to the others.
fn generated(
    schemas: &mut Map<String, Value>,
    contract: fn(SchemaSettings) -> SchemaSettings,
    of: impl Fn(&mut SchemaGenerator) -> Schema,
) -> Value {
    let settings = contract(SchemaSettings::draft2020_12()).with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.into_generator();
    let schema = of(&mut generator).to_value();
    schemas.extend(generator.take_definitions(true));
    schema
}
/// A row as it is shown: with its number and links, and without what only its rule needs.
fn row_schema(schemas: &mut Map<String, Value>, door: &dyn Collection) -> Value {
    let mut schema = generated(schemas, SchemaSettings::for_serialize, |to| door.shape(to));
    let own = json!({ "type": "object", "required": ["id", "_links"], "properties": {
        "id": { "type": "integer", "minimum": 1 },
        "_links": { "$ref": "#/components/schemas/links" },
    } });
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.shift_remove(hidden());
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name != hidden());
    }
    json!({ "allOf": [own, schema] })
}

/// Something that a schema allows, where that is easily said.
fn example(schema: &Value) -> Option<Value> {
    if let Some(said) = schema["examples"].get(0).or_else(|| schema.get("const")).or_else(|| schema["enum"].get(0)) {
        return Some(said.clone());
    }
    if let Some(first) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
        return example(first);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str())?;
    match kind {
        "object" => {
            let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
            let fields =
                schema["properties"].as_object().into_iter().flatten().filter_map(|(name, field)| match example(field) {
                    None if required.iter().any(|needed| needed == name) => Some(None),
                    None => None,
                    Some(value) => Some(Some((name.clone(), value))),
                });
            fields.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        "integer" | "number" => Some(schema.get("minimum").filter(|least| **least != 0).cloned().unwrap_or(json!(1))),
        "boolean" => Some(json!(true)),
        "string" if schema["format"] == "date-time" => Some(json!("2026-01-02T03:04:05.678Z")),
        "string" if schema.get("pattern").is_none() && schema.get("format").is_none() => {
            let (least, most) = (schema["minLength"].as_u64().unwrap_or(0), schema["maxLength"].as_u64().unwrap_or(4));
            let length = usize::try_from(most.min(4).max(least)).ok()?;
            Some(Value::from("text".chars().cycle().take(length).collect::<String>()))
        }
        _ => None,
    }
}
