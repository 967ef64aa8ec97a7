// The pages work without this. With it, rows move by themselves, forms answer in place, and times are the reader's own.
"use strict";
const language = document.documentElement.lang;
const said = document.body.dataset;

// -- times, in the reader's time zone
const short = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
function localise(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.textContent = ("exact" in time.dataset ? exact : short).format(at);
    time.title = full.format(at);
  }
}

// -- rows
function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  localise(template.content);
  return template.content.firstElementChild;
}
function put(table, id, html) {
  const body = table.tBodies[0], before = body.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
  if (before?.contains(document.activeElement) && document.activeElement.matches("input, select")) return; // somebody is typing there
  if (!before && !("grows" in table.dataset)) return;
  const row = parsed(html);
  const held = before?.contains(document.activeElement);
  const act = held && document.activeElement.closest("form")?.dataset.act;
  const told = before?.querySelector(".said.bad, .said.waiting");
  if (before) before.replaceWith(row);
  else body.insertBefore(row, [...body.rows].find((other) => Number(other.dataset.id) < Number(id)) ?? null);
  if (before && plain(before) === plain(row)) {
    if (told) row.cells[row.cells.length - 1].append(told); // nothing moved: what was said still holds
  } else {
    row.classList.add("fresh");
    setTimeout(() => row.classList.remove("fresh"), 2500);
  }
  if (held) (row.querySelector(`form[data-act="${act}"] button`) ?? row.querySelector("a")).focus();
}
function plain(row) {
  return [...row.cells].slice(0, -1).map((cell) => cell.textContent).join("|");
}

// -- streams: closed while nobody looks, and taken up where they were left
function listen(url, alive, heard) {
  let source = null, last = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(last === null ? url : `${url}&after=${last}`);
    const mark = (works) => {
      alive.hidden = false;
      alive.classList.toggle("off", !works);
      alive.textContent = works ? said.live : said.offline;
    };
    source.onopen = () => mark(true);
    source.onerror = () => {
      mark(false);
      if (source.readyState === EventSource.CLOSED) { close(); setTimeout(open, 2000); } // an answer that was no stream is not tried again by itself
    };
    for (const kind of ["row", "gone"]) {
      source.addEventListener(kind, (event) => { last = event.lastEventId || last; heard(kind, event.data); });
    }
  };
  const close = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
for (const table of document.querySelectorAll("table[data-rows]")) {
  listen(table.dataset.rows, table.closest("section, main").querySelector("[data-alive]"), (kind, data) => {
    if (kind === "gone") table.querySelector(`tr[data-id="${CSS.escape(data)}"]`)?.remove();
    else { const { id, html } = JSON.parse(data); put(table, id, html); }
    if (document.querySelector(".totals")) soon();
  });
}
let told = null;
function soon() { told ??= setTimeout(() => { told = null; tellAnew(); }, 300); } // many rows that move at once are one sum

// -- parts of a page that are told anew
let telling = false;
async function tellAnew() {
  if (telling || document.hidden) return;
  telling = true;
  try {
    const answer = await fetch(location.href.split("#")[0], { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const anew = page.getElementById(part.id);
      const busy = part.contains(document.activeElement) || part.querySelector("details[open], [aria-busy]");
      if (!anew || busy || anew.innerHTML === part.dataset.before) continue;
      const scrolled = part.querySelector(".lanes")?.scrollLeft ?? 0;
      const before = anew.innerHTML;
      localise(anew);
      part.innerHTML = anew.innerHTML;
      part.dataset.before = before;
      const lanes = part.querySelector(".lanes");
      if (lanes) lanes.scrollLeft = scrolled;
    }
  } catch { /* the next time */ } finally { telling = false; }
}
const row = document.querySelector("[data-part]:not([data-part=''])");
if (row) {
  // what others do because of it comes a little later
  listen(row.dataset.part, document.querySelector("[data-alive]"), () => { tellAnew(); setTimeout(tellAnew, 700); });
  setInterval(tellAnew, 4000);
}
const every = document.querySelector("[data-every]");
if (every) setInterval(tellAnew, Number(every.dataset.every));

// -- forms that answer in place
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-act]")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.hasAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  const body = new URLSearchParams(new FormData(form));
  const says = form.querySelector(".said");
  try {
    const as = document.querySelector("table[data-rows]")?.dataset.rows.match(/[?&]as=([^&]*)/)?.[1];
    const answer = await fetch(as ? `${form.getAttribute("action")}?as=${as}` : form.getAttribute("action"), { method: "POST", body, headers: { accept: "application/json" } });
    if (answer.status === 401) { location.assign("/app/sign-in"); return; }
    const told = await answer.json();
    say(says, told);
    for (const field of form.querySelectorAll(".field")) {
      const wrong = told.tone === "bad" && field.dataset.field === told.field;
      field.classList.toggle("wrong", wrong);
      if (wrong) field.querySelector("input, select")?.focus();
    }
    if (told.key && form.elements.key) form.elements.key.value = told.key;
    if (told.tone !== "bad") {
      form.reset();
      form.closest("details.act")?.removeAttribute("open");
    }
    button.removeAttribute("aria-busy");
    const table = tableOf(form);
    if (told.row && table) put(table, told.id, told.row);
    if (told.tone !== "good" && table && !form.isConnected) {
      const now = table.querySelector(`tr[data-id="${CSS.escape(told.id ?? "")}"] td.acts`); // the row moved under it
      if (now) { const late = document.createElement("output"); say(late, told); now.classList.remove("none"); now.append(late); }
    }
    if (row) setTimeout(tellAnew, told.tone === "bad" ? 2500 : 50);
  } catch {
    say(says, { tone: "bad", sentence: said.lost });
  } finally {
    button.removeAttribute("aria-busy");
  }
});
function tableOf(form) {
  return form.closest("table[data-rows]") ?? form.closest("section")?.querySelector("table[data-rows]") ?? document.querySelector("main > .sheet table[data-rows]");
}
function say(says, { tone, sentence, href }) {
  says.className = `said ${tone}`;
  says.replaceChildren();
  if (href) {
    const link = document.createElement("a");
    [link.href, link.textContent] = [href, sentence];
    says.append(link);
  } else says.textContent = sentence;
}

localise(document);
