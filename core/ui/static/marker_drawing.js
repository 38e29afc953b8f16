// Draws a text with its marks, the buttons above it and the line below it. What is drawn, and what
// happens at a key or a click, stands in marker.js, which follows this in one module.

let lastFocused = null; // the text that had the focus, also after its card was taken away
let lostAt = 0;

function make(tag, about = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children); // strings become text nodes, so that nothing in them is interpreted
  return made;
}

const styleOf = (look) => `--c:${look.colour};--line:${look.line}`;
const GAPS = { solid: 0, dashed: 4, dotted: 3 };
const short = (name) => ([...name].length > 30 ? `${[...name].slice(0, 29).join("")}…` : name);

class Drawing {
  constructor(host, data, send) {
    this.host = host;
    this.marks = data.current ?? data.spans;
    this.past = []; // what undo brings back: marks, what was selected, and what had been done
    this.future = [];
    this.item = null; // the selected mark: [number, number of its argument or -1]
    this.anchor = null; // the word where the selection began; null where no word is selected
    this.cursor = -1;
    this.dressed = new Map(); // piece -> how it is drawn
    this.lit = []; // pieces drawn as selected
    this.isFrames = data.roles.length > 0;
    this.looks = { type: new Map(), role: new Map() };
    this.keys = new Map();
    for (const kind of ["type", "role"]) {
      for (const look of data[`${kind}s`]) {
        this.looks[kind].set(look.name, look);
        if (look.key) this.keys.set(look.key, [kind, look.name]);
      }
    }
    this.build(data);
    this.again(data, send);
    this.paint();
  }

  get hasFocus() {
    return this.host.contains(this.host.getRootNode().activeElement);
  }

  again(data, send) {
    this.data = data;
    this.send = send;
    this.text.style.setProperty("--source", data.source);
    this.text.setAttribute("aria-disabled", data.disabled);
    this.showButtons();
  }

  build(data) {
    const { hasFocus } = this;
    this.startAt = new Map(data.starts.map((start, piece) => [start, piece]));
    this.endAt = new Map(data.ends.map((end, piece) => [end, piece]));
    this.pieceOf = data.words.map(([start, end]) => [this.startAt.get(start), this.endAt.get(end)]);
    this.pieces = data.texts.map((text, piece) => {
      const made = make("span", {}, text);
      made.piece = piece;
      return made;
    });
    this.text = make("div", {
      class: "text admix-marks", dir: "auto", tabindex: 0, role: "application",
      "aria-roledescription": "text to mark", "aria-label": this.isFrames ? "Text: mark triggers and their arguments" : "Text: mark spans",
      "aria-describedby": "hint",
      onpointerdown: (event) => this.press(event), onpointermove: (event) => this.drag(event),
      onpointerup: (event) => this.release(event), onpointercancel: () => (this.pull = null),
    }, ...this.pieces);
    this.said = make("div", { class: "said", role: "status", "aria-live": "polite" });
    const bars = [this.bar("type", data.types, "Types"), this.bar("role", data.roles, "Roles")];
    const button = (name, act) => make("button", { type: "button", onclick: () => act() }, name);
    this.edits = {
      remove: button("Remove mark", () => this.remove()),
      undo: button("Undo mark", () => this.undo()),
      redo: button("Redo mark", () => this.redo()),
    };
    const root = make("div", { role: "group", "aria-label": "Marks in a text",
      onkeydown: (event) => this.key(event), onfocusin: () => (lastFocused = this.text),
      onfocusout: () => {
        lostAt = performance.now();
        // Later, because nobody left a text that goes away: then the next card takes over.
        setTimeout(() => { if (this.text.isConnected && !this.hasFocus && lastFocused === this.text) lastFocused = null; });
      },
    }, ...bars.filter((bar) => bar.childElementCount > 1),
      ...(data.context ? [make("div", { class: "context", dir: "auto", tabindex: 0, "aria-label": "Context" }, data.context)] : []),
      this.text,
      make("div", { class: "foot" }, this.said, make("div", { class: "edit" }, ...Object.values(this.edits)),
        make("div", { class: "hint", id: "hint" },
          make("span", { class: "in" }, make("span", { class: "dot" }), "Keys go to this text. Arrows move, with Shift they select more; a key above marks; Tab next mark, Space picks the mark here, Delete removes, Ctrl+Z undoes, Esc clears."),
          make("span", { class: "out" }, "Drag over words, or click the text or Tab to it, and use the keys above."))));
    // The mouse presses a button without taking the keys away from the text.
    root.addEventListener("mousedown", (event) => { if (event.target.closest("button")) event.preventDefault(); });
    const isTaken = document.activeElement !== document.body || performance.now() - lostAt > 3000;
    const isLeft = !lastFocused || lastFocused.isConnected || isTaken;
    this.host.replaceChildren(root);
    if (hasFocus || !isLeft) this.text.focus({ preventScroll: true });
    else if (lastFocused) requestAnimationFrame(() => this.inherit(performance.now() + 3000));
  }

  // The card before may stay beside this one for a moment: its keys come here when it goes.
  inherit(until) {
    if (!lastFocused || !this.text.isConnected || performance.now() > until) return;
    if (lastFocused.isConnected) requestAnimationFrame(() => this.inherit(until));
    else if (document.activeElement === document.body) this.text.focus({ preventScroll: true });
  }

  bar(kind, looks, title) {
    const buttons = looks.map((look, n) => make("button", {
      type: "button", style: styleOf(look), tabindex: n ? -1 : 0, "data-kind": kind, "data-name": look.name,
      ...(look.key && { "aria-keyshortcuts": look.key }), onclick: () => this.name(kind, look.name),
    }, look.name, ...(look.key ? [make("kbd", { "aria-hidden": "true" }, look.key)] : [])));
    return make("div", { class: `bar ${kind}s`, role: "toolbar", "aria-label": title }, make("b", {}, title), ...buttons);
  }

  showButtons() {
    const [mark, part] = this.item ? [this.marks[this.item[0]], this.item[1]] : [];
    const named = { type: mark?.type, role: mark?.arguments?.[part]?.role };
    for (const button of this.host.querySelectorAll("[data-kind]")) {
      const { kind, name } = button.dataset;
      button.setAttribute("aria-pressed", named[kind] === name);
      button.setAttribute("aria-disabled", this.data.disabled || (kind === "role" && !mark));
    }
    const can = { remove: mark, undo: this.past.length, redo: this.future.length };
    for (const [name, button] of Object.entries(this.edits)) button.setAttribute("aria-disabled", this.data.disabled || !can[name]);
  }

  // Draws every piece that lies in a mark, or lay in one, and leaves the others alone.
  paint() {
    const cover = new Map();
    const at = (piece) => cover.get(piece) ?? cover.set(piece, []).get(piece);
    const put = (part, kind, item) => {
      const [from, to] = this.range(part);
      const pieces = Array.from({ length: to - from + 1 }, (_, n) => from + n);
      let lane = 0; // lines under the same words stand below one another
      while (pieces.some((piece) => at(piece).some((other) => other.kind === "role" && other.lane === lane))) lane += 1;
      for (const piece of pieces) at(piece).push({ kind, item, lane, name: part[kind], isFirst: piece === from, isLast: piece === to });
    };
    this.marks.forEach((mark, n) => {
      put(mark, "type", [n, -1]);
      (mark.arguments ?? []).forEach((argument, part) => put(argument, "role", [n, part]));
    });
    this.cover = cover;
    for (const piece of new Set([...this.dressed.keys(), ...cover.keys()])) this.dress(piece, cover.get(piece) ?? []);
    this.showButtons();
  }

  dress(piece, lying) {
    const isOn = ({ item }) => this.item?.[0] === item[0] && this.item[1] === item[1];
    const isNear = ({ item }) => this.item?.[0] === item[0];
    const signature = lying.length ? JSON.stringify([lying, lying.map(isOn), lying.map(isNear), !!this.item]) : "";
    if (this.dressed.get(piece) === signature) return;
    if (signature) this.dressed.set(piece, signature);
    else this.dressed.delete(piece);
    const shown = this.pieces[piece];
    const box = lying.find(({ kind }) => kind === "type");
    const lines = lying.filter((one) => one.kind === "role");
    const near = lines.find(isOn) ?? lines.find(isNear);
    const classes = [box && "type", lines.length && "role", box?.isFirst && "first", box?.isLast && "last",
      lying.some(isOn) && "on", lying.some((one) => isNear(one) && (one.kind === "type" || this.item[1] < 0)) && "active"];
    shown.className = classes.filter(Boolean).join(" ");
    shown.style.cssText = box || near ? styleOf(this.look(near && !(box && isOn(box)) ? near : box)) : "";
    if (lines.length) this.underline(shown, lines, isNear);
    const chips = lying.filter((one) => one.isLast).map((one) => {
      const chip = make("span", { class: `chip ${one.kind}${isOn(one) ? " on" : ""}`, style: styleOf(this.look(one)) }, short(one.name));
      if (this.isFrames) chip.append(make("sup", {}, String(one.item[0] + 1)));
      chip.item = one.item;
      return chip;
    });
    shown.replaceChildren(shown.firstChild, ...chips);
  }

  // An argument is underlined; those of another trigger than the selected one are faint.
  underline(shown, lines, isNear) {
    const deepest = Math.max(...lines.map((one) => one.lane));
    const images = lines.map((one) => {
      const look = this.look(one);
      const line = `color-mix(in srgb, ${look.colour} 62%, currentColor)`;
      const drawn = !this.item || isNear(one) ? line : `color-mix(in srgb, ${line} 35%, transparent)`;
      return `repeating-linear-gradient(90deg, ${drawn} 0 6px, transparent 6px ${6 + GAPS[look.line]}px)`;
    });
    shown.style.backgroundImage = images.join(", ");
    shown.style.backgroundPosition = lines.map((one) => `0 calc(100% - ${4 * (deepest - one.lane)}px)`).join(", ");
    shown.style.paddingBottom = `${4 * deepest + 5}px`;
  }

  look({ kind, name }) {
    return this.looks[kind].get(name) ?? { colour: "#777777", line: "solid" };
  }

  range(part) {
    return [this.startAt.get(part.start), this.endAt.get(part.end)];
  }

  quote(part) {
    const [from, to] = this.range(part);
    const letters = [...this.data.texts.slice(from, to + 1).join("")];
    return `“${letters.length > 40 ? `${letters.slice(0, 40).join("")} …` : letters.join("")}”`;
  }

  say(words, isRefusal = false) {
    this.said.textContent = words;
    this.said.classList.toggle("no", isRefusal);
  }

  refuse(words) {
    this.say(words, true);
  }
}
