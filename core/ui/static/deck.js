// Holds the next cards of an annotator, turns keys into decisions at once, and sends every press
// until the server says what came of it. Nothing here decides what a press does: core/ui/deck.py.

const decks = new WeakMap(); // the component's element -> the deck in it
const IDLE_MS = 30_000; // without a sign of somebody for so long, time no longer counts
const PATIENCE_MS = 5_000; // after which presses that nobody answered are sent again
const MOST_HISTORY = 50;
const MOST_DRAFTS = 20; // cards whose marks are kept before they are saved
const OF_PAGE = ["Tab", " ", "ArrowUp", "ArrowDown", "Home", "End", "Enter"]; // unless the text has the focus
const CHOSEN = "a, button:not([aria-expanded=true]), [role=combobox], [role=radio], [type=checkbox]";

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const host = parentElement.querySelector(".deck");
  if (!decks.has(host)) decks.set(host, new Deck(host));
  decks.get(host).again(data, setStateValue, setTriggerValue);
}

const stored = (place, some) => (some.length ? sessionStorage.setItem(place, JSON.stringify(some)) : sessionStorage.removeItem(place));
const decides = (press) => !["skip", "undo"].includes(press.kind);
const newId = () => globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

class Deck extends Face {
  constructor(host) {
    super(host);
    Object.assign(this, { name: null, cards: [], past: [], pending: [], round: 0, isWaiting: false });
    this.clock = new Clock();
    this.pressedAt = new Map();
    this.drafts = new Map(); // id of a card -> the marks that nobody has saved yet
    const listen = (type, does) => {
      const heard = (event) => (host.isConnected ? does(event) : removeEventListener(type, heard, true));
      addEventListener(type, heard, true);
    };
    listen("keydown", (event) => this.key(event));
    listen("beforeunload", (event) => this.pending.length && event.preventDefault());
    // What the mouse put the focus on keeps no key of the deck; what Tab brought it to does.
    listen("pointerdown", () => (this.isByMouse = true));
    for (const sign of ["pointermove", "pointerdown", "keydown", "wheel", "visibilitychange"]) {
      listen(sign, () => this.clock.sign());
    }
  }

  // Streamlit calls this whenever the server has something new.
  again(data, send, ask) {
    Object.assign(this, { data, sendPresses: send, ask });
    if (data.name !== this.name) this.begin(data);
    const told = new Map(data.outcomes.map((outcome) => [outcome.id, outcome]));
    const done = this.pending.filter((press) => told.has(press.id));
    this.pending = this.pending.filter((press) => !told.has(press.id));
    this.keep();
    for (const press of done) this.hear(press, told.get(press.id));
    this.take(data.cards, done.map((press) => told.get(press.id).shown).findLast(Boolean));
    if (data.round >= this.round) this.isWaiting = false;
    if (data.opened !== this.opened) this.reveal(data.opened);
    this.paint();
    if (data.trouble) this.sendLater();
    else this.send();
  }

  begin({ name, owner }) {
    const isSame = owner === this.owner;
    Object.assign(this, { name, owner, cards: [], past: [], said: "", isWaiting: false });
    // Whoever chose what is looked through, or came by a link, goes on with keys at once.
    if (document.activeElement?.matches(CHOSEN)) document.activeElement.blur();
    // What was pressed before another filter came goes on its way.
    if (isSame) return;
    // A page that was loaded anew goes on with what nobody had answered.
    const kept = JSON.parse(sessionStorage.getItem(`admix ${owner}`) ?? "[]");
    this.pending = kept.map((press) => ({ ...press, again: true }));
    this.drafts = new Map(JSON.parse(sessionStorage.getItem(`admix drafts ${owner}`) ?? "[]"));
  }

  keep() {
    stored(`admix ${this.owner}`, this.pending);
  }

  // Marks that were begun outlive a skip, an undo and a page that is loaded anew.
  draft({ id, marking }, marks) {
    this.drafts.delete(id);
    if (marks) this.drafts.set(id, { of: marking.card, marks });
    this.drafts = new Map([...this.drafts].slice(-MOST_DRAFTS));
    stored(`admix drafts ${this.owner}`, [...this.drafts]);
  }

  // Those of a card whose text or label became another one meanwhile are of no use.
  draftOf({ id, marking }) {
    const found = this.drafts.get(id);
    return found?.of === marking.card ? found.marks : undefined;
  }

  hear(press, { problem, said, is_dropped: isDropped }) {
    if (this.pressedAt.has(press.id)) measure("admix kept", this.pressedAt.get(press.id));
    this.pressedAt.delete(press.id);
    if (isDropped) this.nDropped = (this.nDropped ?? 0) + 1;
    else if (problem) this.tell(problem, true);
    else if (said) this.tell(said);
  }

  // Takes the server's next cards without changing the one that somebody is looking at.
  take(cards, shownAgain) {
    const decided = new Set();
    const skipped = new Set();
    for (const press of this.pending) {
      if (decides(press)) decided.add(press.sample);
      else if (press.kind === "undo") decided.delete(press.sample);
      else skipped.add(press.sample);
    }
    const undoing = new Set(this.pending.filter(({ kind }) => kind === "undo").map(({ sample }) => sample));
    const next = cards.filter(({ id }) => !decided.has(id) && !skipped.has(id));
    const byId = new Map(next.map((card) => [card.id, card]));
    const taken = this.cards.filter(({ id }) => undoing.has(id));
    const first = byId.get(shownAgain) ?? byId.get(this.cards[0]?.id);
    // One that is being taken back may come from the server too, and is shown once all the same.
    const lead = [...taken, ...(first && !taken.some(({ id }) => id === first.id) ? [first] : [])];
    const isLead = new Set(lead.map(({ id }) => id));
    this.cards = [...lead, ...next.filter(({ id }) => !isLead.has(id))];
  }

  // Where the server cannot keep anything, keys wait for the next trial, and ask without any too.
  sendLater() {
    clearTimeout(this.trial);
    this.trial = setTimeout(() => this.host.isConnected && this.send(true), PATIENCE_MS);
  }

  send(isTrial = false) {
    if (this.isWaiting || !(isTrial || (this.pending.length && !this.data.trouble))) return;
    this.isWaiting = true;
    const round = (this.round += 1);
    this.sendPresses("presses", { owner: this.owner, round, presses: this.pending });
    // What is sent twice says so: the first time may have been heard.
    this.pending = this.pending.map((press) => ({ ...press, again: true }));
    setTimeout(() => {
      if (this.round !== round || !this.isWaiting || !this.host.isConnected) return;
      this.isWaiting = false;
      this.send(isTrial);
    }, PATIENCE_MS);
  }

  // ---- what a key does

  do(command, event) {
    const started = event?.timeStamp ?? performance.now();
    this.tell("");
    if (command.kind === "undo") this.undo();
    else if (command.kind === "open") return this.open(command.value);
    else if (command.kind === "keys") return this.showKeys();
    else if (!this.cards.length) return;
    else if (command.kind === "skip") this.skip();
    else if (command.kind === "guess") this.guess = command.value;
    else if (command.kind === "move") return this.move(Number(command.value));
    else if (this.mustGuess()) this.tell("Say first who wrote this text.", true);
    else if (!this.decide(command)) return;
    this.keep();
    this.paint();
    this.send();
    painted(started);
  }

  mustGuess() {
    return this.cards[0].seen?.asks && !this.guess;
  }

  decide({ kind, value, is_last: isLast }) {
    const [card] = this.cards;
    if (kind === "suggestion") [kind, value] = ["label", card.suggested[0].value];
    if (kind === "score") [kind, value] = ["label", written(this.score)];
    const marks = this.marking?.marks;
    if (kind === "marks") [kind, value] = ["label", JSON.stringify(marks)];
    if (kind === "keep") {
      if (card.label === null) return false;
      [kind, value] = ["label", card.label];
    }
    if (isLast) value = this.reason ?? value;
    if (kind === "reject" && value) this.reason = value;
    this.tell(`Last: ${this.words(card, kind, value)}`);
    this.cards = this.cards.slice(1);
    this.past = [...this.past, { ...card, marks }].slice(-MOST_HISTORY);
    if (card.marking) this.draft(card);
    const about = card.seen && { ...card.seen, guess: this.guess };
    this.push({ kind, value, sample: card.id, revision: card.revision, seconds: this.clock.seconds(), about });
    return true;
  }

  move(steps) {
    const [{ scale }] = this.cards;
    const place = this.placeOn(scale);
    // The first press shows where one is.
    const isNowhere = this.score === undefined && scale.value === null;
    this.setScore(isNowhere ? place : Math.min(Math.max(place + steps * scale.step, scale.low), scale.high));
  }

  // A card that is skipped goes to whoever comes next, until the server deals it here again.
  skip() {
    const [card, ...others] = this.cards;
    this.cards = others;
    this.tell("Skipped: it comes back after the others");
    this.push({ kind: "skip", sample: card.id });
  }

  undo() {
    const card = this.past.at(-1);
    this.past = this.past.slice(0, -1);
    if (card) this.cards = [card, ...this.cards.filter(({ id }) => id !== card.id)];
    if (card?.marks) this.draft(card, card.marks);
    this.push({ kind: "undo", sample: card?.id ?? null });
  }

  // What was opened of a card is closed by the same key, or by Escape.
  open(what) {
    if (!this.cards.length) return;
    const [{ id }] = this.cards;
    const isOpen = this.opened === `${what} ${id}`;
    this.ask("open", isOpen ? { what: "", sample: "" } : { what, sample: id });
  }

  // It stands below the buttons, where it may be out of sight, and comes a moment after it is named.
  reveal(opened) {
    this.opened = opened;
    if (!opened) return;
    const end = performance.now() + PATIENCE_MS;
    const look = () => {
      const place = document.querySelector(".st-key-admix-opened");
      const isThere = place?.querySelector("button") && !place.querySelector('[data-testid="stSkeleton"]');
      if (this.opened !== opened || performance.now() > end) return;
      if (!isThere) return setTimeout(look, 50);
      place.scrollIntoView({ block: "nearest" });
      place.querySelector("textarea, [role=slider], [type=range]")?.focus({ preventScroll: true });
    };
    look();
  }

  push(press) {
    const id = newId();
    this.pressedAt.set(id, performance.now());
    this.pending.push({ id, guidelines: this.data.guidelines, ...press });
  }

  key(event) {
    const { key, ctrlKey, metaKey, altKey, repeat, isComposing } = event;
    if (ctrlKey || metaKey || altKey || isComposing || this.dialog?.open) return;
    const [target] = event.composedPath();
    const typed = "input:not([type=checkbox], [type=range]), textarea, select, [contenteditable], [role=combobox]";
    if (key === "Tab") this.isByMouse = false;
    // A box that the mouse has shut again keeps the focus, and no key.
    const isShut = this.isByMouse && target.matches?.("[role=combobox][aria-expanded=false]");
    const isInOpened = key === "Escape" && target.matches?.("textarea") && target.closest(".st-key-admix-opened");
    if (target.matches?.(typed) && !isShut && !isInOpened) return;
    if (this.marking && this.toText(event, target)) return;
    const isUsed = target.matches?.("[aria-expanded=true]") || !this.isByMouse;
    if (target.matches?.("[type=range]") && key.startsWith("Arrow")) return;
    if (isUsed && target.matches?.("button, a, summary, input:not([type=range])") && ["Enter", " "].includes(key)) return;
    if (key === "Escape" && this.opened) return this.ask("open", { what: "", sample: "" });
    const command = this.commandOf(key) ?? this.commandOf(key.toLowerCase());
    if (!command) return this.unknown(key);
    event.preventDefault();
    event.stopImmediatePropagation();
    // A key that is held down is one press, but on a scale.
    if (!repeat || command.kind === "move") this.do(command, event);
  }

  // A key of a type means the same wherever it is pressed, and others go to the text that is marked
  // where nothing else has the focus.
  toText(event, target) {
    const isIn = this.marking.host.contains(target);
    const isFree = target === document.body && !OF_PAGE.includes(event.key);
    if (!isIn && !isFree && !this.marking.named(event.key, event.shiftKey)) return false;
    const isTaken = this.marking.key(event, isIn ? target : this.marking.text);
    if (isTaken && !isIn) this.marking.text.focus({ preventScroll: true });
    return isTaken;
  }

  unknown(key) {
    const isHidden = key === "Enter" && this.cards[0]?.seen?.hidden.includes("label");
    if (isHidden) this.tell("The label of this card is hidden: choose one");
    else if (key.length === 1 && key !== " " && !this.cards.length) this.tell("No card is here yet: this key was not taken");
    else if (key.length === 1 && key !== " ") this.tell(`${key} means nothing here; ? lists the keys`);
    else return;
    this.paint();
  }

  commandOf(key) {
    if (key === "?") return { kind: "keys" };
    const [card] = this.cards;
    return [...(card?.choices ?? []), ...this.commandsOf(card)].find((one) => one.key === key);
  }
}

// Counts the time in which somebody is there: not that behind another window, nor long pauses.
class Clock {
  constructor() {
    this.begin();
  }

  begin() {
    this.active = 0;
    this.last = performance.now();
  }

  sign() {
    const at = performance.now();
    if (!this.wasHidden) this.active += Math.min(at - this.last, IDLE_MS);
    this.wasHidden = document.hidden;
    this.last = at;
  }

  seconds() {
    this.sign();
    return this.active / 1000;
  }
}

// Leaves in the browser's own record how long it took from a press to what it brought on the screen.
function painted(start) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel(); // what it is told comes after the frame
    channel.port1.onmessage = () => measure("admix next card", start);
    channel.port2.postMessage(null);
  });
}

let nMeasured = 0;
function measure(name, start) {
  if ((nMeasured += 1) % 5000 === 0) performance.clearMeasures(); // a day's work is no burden
  performance.measure(name, { start, end: performance.now() });
}
