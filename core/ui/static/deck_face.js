// Draws a deck: how many are left, the card, its buttons with their keys, and what was said. A text
// that is marked is drawn by marker.js, which precedes this in one module.

const made = (name, looks = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(looks)) {
    if (key in element) element[key] = value;
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

// A score as labels write it: four places behind the point at most, and no more than it needs.
const written = (score) => String(Number(score.toFixed(4)));
const SIGNS = { ArrowLeft: "←", ArrowRight: "→" };
const shown = (key) => SIGNS[key] ?? key;
// What other keys do in a text that is marked.
const KEYS_OF_TEXT = [
  ["← →", "Go to a word", "With Shift more words are selected."],
  ["Tab", "Go to the next mark", "With Shift to the one before."],
  ["Space", "Pick the mark here", ""],
  ["Delete", "Remove the mark", ""],
  ["Ctrl Z", "Undo a mark", "Ctrl Y does it again."],
  ["Esc", "Clear the selection", ""],
].map(([key, title, help]) => ({ key, title, help }));
// Signs of a label up to which it wants less room than a word, and from which it wants more.
const [SHORT, LONG] = [4, 22];
const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
// Names of labels are broken where their writers joined words, and elsewhere only at need.
const breakable = (title) => title.split(/(?<=[_/.-])/).flatMap((part) => [part, made("wbr")]);

class Face {
  constructor(host) {
    this.host = host;
    const part = (name, looks) => (this[name] = made("div", { className: name, ...looks }));
    host.replaceChildren(
      part("progress"),
      part("card", { role: "region", ariaLabel: "Card", ariaLive: "polite" }),
      part("marked", { className: "marker" }),
      part("choices", { role: "group", ariaLabel: "Labels" }),
      part("scale", { role: "group", ariaLabel: "Score" }),
      part("commands", { role: "group", ariaLabel: "Commands" }),
      part("foot", { role: "status" }),
    );
    this.dialog = made("dialog", { ariaLabel: "Keys" });
    host.append(this.dialog);
  }

  tell(words, isProblem = false) {
    Object.assign(this, { said: words, isProblem });
  }

  paint() {
    const [card] = this.cards;
    const isSaving = !card && this.pending.length > 0;
    const drawn = JSON.stringify([card?.id, card?.revision, card?.seen, card?.suggested, isSaving]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.clock.begin();
      this.guess = this.score = undefined;
      this.paintCard(card);
      this.paintMarking(card);
      this.paintScale(card?.scale);
      this.paintButtons(card);
    }
    for (const button of this.commands.querySelectorAll("[data-guess]")) {
      button.ariaPressed = String(button.dataset.guess === this.guess);
    }
    this.paintProgress();
    this.paintFoot(card);
  }

  // The commands that a card has a use for; where there is none, what was done can be taken back.
  commandsOf(card) {
    if (!card) return this.data.commands.filter(({ kind }) => kind === "undo");
    const isBlind = Boolean(card?.seen?.hidden.includes("label"));
    return this.data.commands.filter(({ kind, when }) => {
      if (kind === "suggestion") return Boolean(card?.suggested?.length);
      if (kind === "guess") return Boolean(card?.seen?.asks);
      if (kind === "score") return this.score !== undefined;
      if (kind === "marks") return Boolean(card?.marking);
      if (kind === "keep" && (this.score !== undefined || card?.marking)) return false;
      return !when || (when === "blind") === isBlind;
    });
  }

  paintProgress() {
    const waiting = this.pending.reduce((n, { kind }) => n + (kind === "undo" ? -1 : kind === "skip" ? 0 : 1), 0);
    const left = Math.max(0, this.data.n_left - waiting);
    const total = Math.max(this.data.n_total, left);
    const skipped = this.data.n_skipped ? ` · ${this.data.n_skipped.toLocaleString("en")} skipped` : "";
    this.progress.replaceChildren(
      made("span", {}, made("b", {}, `${left.toLocaleString("en")} left`), ` of ${total.toLocaleString("en")}${skipped}`),
      made("progress", { max: total || 1, value: total - left, ariaLabel: "Decided" }),
    );
  }

  paintCard(card) {
    if (!card) {
      const { trouble, empty } = this.data;
      const words = trouble ? "" : this.pending.length ? "Saving …" : empty;
      return this.card.replaceChildren(made("p", { className: "empty" }, words));
    }
    const badge = card.badge && made("span", { className: "badge", style: `--source:${card.badge.colour}` }, card.badge.words);
    this.card.replaceChildren(
      made("div", { className: "about" }, card.title && made("h4", {}, card.title), badge, made("span", {}, card.about)),
      ...card.parts.map((part) => this.part(part, card)),
      ...(card.suggested ?? []).map(({ words }) => made("p", { className: "suggested" }, words)),
      ...card.verdicts.map(this.verdict),
    );
  }

  // The text of a card that is marked; whoever had the keys in the text before has them here.
  paintMarking(card) {
    const hadFocus = this.marking?.hasFocus;
    this.marking = null;
    if (!card?.marking) return this.marked.replaceChildren();
    const { types, roles } = this.data;
    const current = this.draftOf(card);
    const data = { ...card.marking, types, roles, current, disabled: false, source: card.badge?.colour ?? "#888" };
    this.marking = new Marking(this.marked, data, (_, { marks }) => this.draft(card, marks));
    if (hadFocus) this.marking.text.focus({ preventScroll: true });
  }

  part({ title, text, html, is_small: isSmall }, { badge }) {
    const words = made("div", { className: isSmall ? "text small" : "text", dir: "auto", style: `--source:${badge?.colour ?? "#888"}` });
    // Markup comes from one place, which escapes all that it was given: core/ui/marks.py.
    if (html) words.innerHTML = html;
    else words.textContent = text;
    return made("div", {}, title && made("span", { className: "title" }, title), words);
  }

  verdict({ words, close, is_flagged: isFlagged }) {
    const told = made("p", { className: isFlagged ? "verdict" : "verdict quiet" }, words);
    const text = close && made("div", { className: "text small", dir: "auto" }, close);
    return made("div", {}, told, close && made("span", { className: "title" }, "Close to"), text);
  }

  paintButtons(card) {
    const choices = card?.choices ?? [];
    const isList = choices.some(({ title, value }) => title !== value);
    const isLong = choices.some(({ title }) => title.length > LONG);
    const isShort = choices.every(({ title }) => title.length <= SHORT);
    this.choices.className = isList ? "choices list" : isLong ? "choices long" : isShort ? "choices short" : "choices";
    const hasBox = choices.length > this.data.most_keys;
    this.choices.replaceChildren(...(hasBox ? [this.box(choices)] : choices.map((one) => this.button(one))));
    const rows = Map.groupBy(this.commandsOf(card), ({ row }) => row);
    this.commands.replaceChildren(
      ...[...rows.entries()].map(([row, some]) =>
        made("div", { className: "row" }, row && made("span", { className: "title" }, row), ...some.map((one) => this.button(one, card)))),
    );
  }

  // Every score between two ends; where none is known or shown it lies nowhere until it is moved.
  paintScale(scale) {
    if (!scale) return this.scale.replaceChildren();
    const { low, high, step } = scale;
    const slider = made("input", { type: "range", ariaLabel: "Score", min: low, max: high, step, value: this.placeOn(scale) });
    slider.oninput = () => this.setScore(slider.valueAsNumber);
    this.scale.replaceChildren(made("span", {}, written(low)), slider, made("span", {}, written(high)), made("output", {}, "–"));
    this.paintScore(scale);
  }

  placeOn({ low, high, value }) {
    return Math.min(Math.max(this.score ?? value ?? (low + high) / 2, low), high);
  }

  setScore(score) {
    this.score = score;
    const [card] = this.cards;
    this.paintScore(card.scale);
    this.paintButtons(card);
  }

  paintScore(scale) {
    const [slider, place] = [this.scale.querySelector("input"), this.placeOn(scale)];
    if (slider.valueAsNumber !== place) slider.value = place;
    const isKnown = this.score !== undefined || scale.value !== null;
    this.scale.querySelector("output").value = isKnown ? written(place) : "–";
    this.scale.className = isKnown ? "scale" : "scale nowhere";
  }

  button(command, card) {
    const { key, help, is_current: isCurrent, is_main: isMain } = command;
    const button = made(
      "button",
      {
        type: "button", title: help ?? "", ariaKeyShortcuts: key, ariaPressed: isCurrent ? "true" : null,
        className: isMain ? "main" : "", disabled: command.kind === "keep" && card?.label === null,
      },
      made("span", {}, ...breakable(this.titleOf(command, card))), key && made("kbd", {}, shown(key)),
    );
    if (command.kind === "guess") button.dataset.guess = command.value;
    button.onclick = (event) => {
      // After a click with the mouse, Enter is a key of the page again.
      if (event.detail) button.blur();
      this.do(command, event);
    };
    return button;
  }

  titleOf({ kind, title, is_last: isLast, value }, card) {
    if (kind === "keep" && card?.told) return `${title} ${card.told}`;
    if (kind === "score") return `${title} ${written(this.score)}`;
    return isLast ? `${title}: ${this.reason ?? value}` : title;
  }

  // What a press decided, in words.
  words(card, kind, value) {
    if (kind === "accept") return "accepted";
    if (kind === "reject") return value ? `rejected, ${value}` : "left out";
    if (card.marking) return counted(JSON.parse(value).length, "mark");
    return card.choices.find((one) => one.value === value)?.title ?? value;
  }

  // With more labels than keys, one is found by typing.
  box(choices) {
    const list = made("datalist", { id: "labels" }, ...choices.map(({ value, title }) => made("option", { value }, title)));
    const box = made("input", { placeholder: "Type to find a label", ariaLabel: "Label" });
    box.setAttribute("list", "labels");
    box.onchange = () => {
      const found = choices.find(({ value }) => value === box.value);
      if (found) this.do(found);
    };
    box.onkeydown = (event) => event.key === "Escape" && box.blur();
    return made("span", {}, box, list);
  }

  paintFoot(card) {
    const n = this.nDropped;
    const dropped = n ? `${n} ${n === 1 ? "key came too early and was" : "keys came too early and were"} dropped` : null;
    const { trouble } = this.data;
    const nPending = this.pending.length;
    const state = nPending ? (trouble ? `${nPending} not saved yet` : `Saving ${nPending} …`) : "All saved";
    this.foot.className = this.isProblem || trouble ? "foot problem" : "foot";
    this.foot.replaceChildren(
      made("span", { className: "said" }, [trouble, this.said, dropped].filter(Boolean).join(" · ")),
      made("span", { className: "state" }, state),
      made("button", { type: "button", className: "plain", onclick: () => this.showKeys() }, "Keys ", made("kbd", {}, "?")),
    );
    this.host.dataset.pending = nPending;
    this.host.dataset.card = card?.id ?? "";
  }

  keysOfMarks() {
    if (!this.marking) return [];
    const { types, roles } = this.data;
    const means = (what) => ({ name, key }) => ({ key, title: name, help: `${what} of the selected words.` });
    return [...types.map(means("The type")), ...roles.map(means("The role")), ...KEYS_OF_TEXT];
  }

  showKeys() {
    const [card] = this.cards;
    const all = [...this.keysOfMarks(), ...(card?.choices ?? []), ...this.commandsOf(card)].filter(({ key }) => key);
    const rows = all.map((one) => made("tr", {}, made("td", {}, made("kbd", {}, shown(one.key))), made("td", {}, this.titleOf(one, card)), made("td", {}, one.help ?? "")));
    const close = made("button", { type: "button", onclick: () => this.dialog.close() }, "Close");
    this.dialog.replaceChildren(made("h3", {}, "Keys"), made("table", {}, made("tbody", {}, ...rows)), close);
    this.dialog.showModal();
  }
}
