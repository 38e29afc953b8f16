
// Marks typed spans, or frames, in the text that core/ui/marker.py cut into pieces. What is sent back
// after each change is the whole list of marks, with offsets that came in: none is computed here.
// It stands alone on a page (marker_alone.js) or in the card of a deck (deck_face.js).

const overlaps = (a, b) => a.start < b.end && b.start < a.end;
const equals = (a, b) => a.start === b.start && a.end === b.end;
const inOrder = (a, b) => a.start - b.start || a.end - b.end;

class Marking extends Drawing {
  // ---- what is selected

  get selection() {
    if (this.anchor === null) return null;
    const [from, to] = [this.anchor, this.cursor].sort((a, b) => a - b);
    return { start: this.data.words[from][0], end: this.data.words[to][1] };
  }

  showSelection() {
    for (const piece of this.lit) for (const name of ["data-sel", "data-cursor"]) this.pieces[piece].removeAttribute(name);
    this.lit = [];
    const light = ([from, to], name) => {
      for (let piece = from; piece <= to; piece += 1) {
        this.pieces[piece].setAttribute(name, "");
        this.lit.push(piece);
      }
    };
    if (this.selection) light(this.range(this.selection), "data-sel");
    if (this.cursor >= 0 && (this.selection || !this.item)) light(this.pieceOf[this.cursor], "data-cursor");
  }

  // Moves the word cursor; the word it comes to is selected, or those up to it.
  go(word, isExtending = false) {
    if (!this.data.words.length) return;
    const from = this.anchor ?? (this.cursor < 0 ? word : this.cursor);
    this.cursor = Math.max(0, Math.min(word, this.data.words.length - 1));
    this.anchor = isExtending ? from : this.cursor;
    // The trigger whose arguments are being marked stays selected.
    this.pick(this.item && this.isFrames ? [this.item[0], -1] : null);
    this.reveal(this.pieceOf[this.cursor][0]);
  }

  pick(item) {
    const [before, after] = [JSON.stringify(this.item), JSON.stringify(item)];
    this.item = item;
    if (before !== after) this.paint();
    this.showSelection();
  }

  pickMark(item, word = null) {
    const mark = this.marks[item[0]];
    const part = mark.arguments?.[item[1]] ?? mark;
    const [piece] = this.range(part);
    this.anchor = null;
    this.cursor = word ?? this.data.words.findIndex(([, end]) => end > part.start);
    this.pick(item);
    this.reveal(piece);
    const of = item[1] < 0 ? `mark ${item[0] + 1} of ${this.marks.length}` : `argument of ${this.quote(mark)}`;
    this.say(`${this.quote(part)}: ${part.role ?? part.type}, ${of}.`);
  }

  clear() {
    if (this.anchor !== null) this.anchor = null;
    else this.item = null;
    this.paint();
    this.showSelection();
    this.say("");
  }

  reveal(piece) {
    const [inner, outer] = [this.pieces[piece].getClientRects()[0], this.text.getBoundingClientRect()];
    if (inner && (inner.top < outer.top + 8 || inner.bottom > outer.bottom - 8)) {
      this.text.scrollTop += inner.top - outer.top - outer.height / 2;
    }
  }

  // ---- what changes the marks

  change(marks, item, done) {
    this.past.push({ marks: this.marks, item: this.item, done });
    this.future = [];
    this.set(marks, item, done);
  }

  set(marks, item, done) {
    this.marks = marks;
    this.item = item;
    this.anchor = null;
    this.paint();
    this.showSelection();
    this.say(done);
    this.send("value", { card: this.data.card, marks });
  }

  undo() {
    this.travel(this.past, this.future, "Undone");
  }

  redo() {
    this.travel(this.future, this.past, "Done again");
  }

  travel(from, to, word) {
    if (this.data.disabled) return;
    const step = from.pop();
    if (!step) return this.refuse(`Nothing to ${word === "Undone" ? "undo" : "redo"}.`);
    to.push({ marks: this.marks, item: this.item, done: step.done });
    this.set(step.marks, step.item, `${word}: ${step.done}`);
  }

  // Gives a type or role to the selected words, or else to the selected mark.
  name(kind, name) {
    if (this.data.disabled) return;
    const words = this.selection;
    const number = this.item?.[0] ?? -1;
    if (kind === "role" && number < 0) return this.refuse("Select a trigger first: its arguments belong to it.");
    if (!words) {
      if (!this.item) return this.refuse("Select words or a mark first.");
      if (kind === "type") return this.rename(number, -1, kind, name);
      if (this.item[1] < 0) return this.refuse("Select the words of the argument first.");
      return this.rename(number, this.item[1], kind, name);
    }
    const row = kind === "type" ? this.marks : this.marks[number].arguments;
    const same = row.findIndex((other) => equals(other, words));
    if (same >= 0) return kind === "type" ? this.rename(same, -1, kind, name) : this.rename(number, same, kind, name);
    const other = row.find((one) => overlaps(one, words));
    if (other) return this.refuse(`${this.quote(words)} overlaps ${this.quote(other)} (${other[kind]}). Remove that first.`);
    const made = { ...words, [kind]: name, ...(kind === "type" && this.isFrames && { arguments: [] }) };
    const longer = [...row, made].sort(inOrder);
    const at = longer.indexOf(made);
    if (kind === "type") this.change(longer, [at, -1], `${this.quote(made)} marked as ${name}.`);
    else this.change(this.withArguments(number, longer), [number, at], `${this.quote(made)} is ${name} of ${this.quote(this.marks[number])}.`);
  }

  rename(number, part, kind, name) {
    const mark = this.marks[number];
    const old = part < 0 ? mark : mark.arguments[part];
    if (old[kind] === name) return this.pickMark([number, part], this.cursor);
    const renamed = { ...old, [kind]: name };
    const marks = part < 0 ? this.marks.with(number, renamed) : this.withArguments(number, mark.arguments.with(part, renamed));
    this.change(marks, [number, part], `${this.quote(old)} changed from ${old[kind]} to ${name}.`);
  }

  remove() {
    if (this.data.disabled) return;
    if (!this.item || this.anchor !== null) return this.refuse("Select a mark to remove it: click it, or Tab to it.");
    const [number, part] = this.item;
    const mark = this.marks[number];
    if (part < 0) this.change(this.marks.toSpliced(number, 1), null, `${this.quote(mark)} (${mark.type}) removed.`);
    else this.change(this.withArguments(number, mark.arguments.toSpliced(part, 1)), [number, -1], `${this.quote(mark.arguments[part])} (${mark.arguments[part].role}) removed.`);
  }

  withArguments(number, argumentsOfIt) {
    return this.marks.with(number, { ...this.marks[number], arguments: argumentsOfIt });
  }

  // ---- the keyboard

  // A deck hears the keys of the whole page, says which part of the text is meant, and acts on what
  // was not taken here.
  key(event, target = event.target) {
    const isTaken = !event.isComposing && this.act(event, target);
    if (isTaken && isTaken !== "natively") event.preventDefault();
    // Only what was taken here is kept from the page's own shortcuts.
    if (isTaken) event.stopPropagation();
    return isTaken;
  }

  act({ key, ctrlKey, metaKey, altKey, shiftKey }, target) {
    if (altKey || this.data.disabled) return false;
    if (ctrlKey || metaKey) {
      const letter = key.toLowerCase();
      if (letter === "z") shiftKey ? this.redo() : this.undo();
      else if (letter === "y") this.redo();
      return letter === "z" || letter === "y";
    }
    const named = this.named(key, shiftKey);
    if (named) this.name(...named);
    else if (key === "Delete" || key === "Backspace") this.remove();
    else if (key === "Escape" && (this.anchor !== null || this.item)) this.clear();
    else if (target.matches("button")) return this.actOnButton(key, target);
    else return target === this.text && this.actOnText(key, shiftKey);
    return true;
  }

  // The type or role that a key stands for.
  named(key, shiftKey) {
    return this.keys.get(key) ?? (shiftKey ? null : this.keys.get(key.toLowerCase()));
  }

  actOnButton(key, button) {
    if (key === "Enter" || key === " ") return "natively";
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const row = [...button.parentElement.querySelectorAll("button")];
    const next = step && button.dataset.kind && row.at((row.indexOf(button) + step) % row.length);
    if (!next) return false;
    button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    return true;
  }

  actOnText(key, isExtending) {
    if (key === "Tab") return this.tab(isExtending ? -1 : 1);
    if (key === " ") return this.pickHere(this.cursor) || this.refuse("No mark here.") || true;
    const isRightToLeft = getComputedStyle(this.text).direction === "rtl";
    const steps = { ArrowRight: isRightToLeft ? -1 : 1, ArrowLeft: isRightToLeft ? 1 : -1 };
    const last = this.data.words.length - 1;
    if (key in steps) this.go(this.cursor < 0 ? 0 : this.cursor + steps[key], isExtending);
    else if (key === "ArrowDown" || key === "ArrowUp") this.go(this.beyond(key === "ArrowDown" ? 1 : -1), isExtending);
    else if (key === "Home" || key === "End") this.go(key === "Home" ? 0 : last, isExtending);
    else return false;
    if (this.selection) this.say(`${this.quote(this.selection)} selected.`);
    return true;
  }

  // Goes through the marks, each followed by its arguments; beyond them the key leaves the text.
  tab(step) {
    const items = this.marks.flatMap((mark, n) => [[n, -1], ...(mark.arguments ?? []).map((_, part) => [n, part])]);
    const now = items.findIndex(([number, part]) => this.anchor === null && number === this.item?.[0] && part === this.item[1]);
    const here = this.data.words[this.cursor]?.[0] ?? -1;
    const starts = items.map(([number, part]) => (part < 0 ? this.marks[number].start : -1));
    const near = step > 0 ? starts.findIndex((start) => start >= here) : starts.findLastIndex((start) => start >= 0 && start < here);
    const next = now < 0 ? items[near] : items[now + step];
    if (next) this.pickMark(next);
    return Boolean(next);
  }

  // The word in the next line, or the one before, that is closest to the cursor.
  beyond(step) {
    const place = (word) => this.pieces[this.pieceOf[word][0]].getClientRects()[0];
    if (this.cursor < 0) return 0;
    const from = place(this.cursor);
    const isLine = (a, b) => Math.abs(a.top - b.top) < from.height / 2;
    let [best, line, least] = [this.cursor, null, Infinity];
    for (let word = this.cursor + step; word >= 0 && word < this.data.words.length; word += step) {
      const there = place(word);
      if (!line && isLine(there, from)) continue;
      line ??= there;
      if (!isLine(there, line)) break;
      const far = Math.abs(there.left + there.right - from.left - from.right);
      if (far < least) [best, least] = [word, far];
    }
    return best;
  }

  // Selects the mark at a word, or the next of several that lie there.
  pickHere(word) {
    const lying = this.cover.get(this.pieceOf[word]?.[0]) ?? [];
    // While arguments of a trigger are marked, those of others are no hindrance: words come first.
    const able = lying.filter(({ kind, item }) => kind === "type" || !this.item || item[0] === this.item[0]);
    const now = able.findIndex(({ item }) => item[0] === this.item?.[0] && item[1] === this.item[1]);
    const next = able[(now + 1) % able.length];
    if (next) this.pickMark(next.item, word);
    return Boolean(next);
  }

  // ---- the mouse

  wordAt(element) {
    const piece = element?.closest?.(".text > span")?.piece;
    return piece === undefined ? -1 : this.data.wordOf[piece];
  }

  press(event) {
    if (event.button || this.data.disabled) return;
    const chip = event.target.closest(".chip");
    if (chip) return this.pickMark(chip.item);
    const word = this.wordAt(event.target);
    if (event.shiftKey && word >= 0) {
      this.go(word, true);
      return this.say(`${this.quote(this.selection)} selected.`);
    }
    this.text.setPointerCapture(event.pointerId);
    this.pull = { word, x: event.clientX, y: event.clientY, isDrag: false };
  }

  drag({ clientX, clientY }) {
    if (!this.pull) return;
    const word = this.wordAt(this.host.getRootNode().elementFromPoint(clientX, clientY));
    if (word < 0 || (!this.pull.isDrag && Math.hypot(clientX - this.pull.x, clientY - this.pull.y) < 4)) return;
    if (!this.pull.isDrag) this.go(this.pull.word < 0 ? word : this.pull.word);
    this.pull.isDrag = true;
    if (word !== this.cursor) this.go(word, true);
  }

  release() {
    const { pull } = this;
    this.pull = null;
    if (!pull) return;
    if (!pull.isDrag && pull.word < 0) return this.clear();
    if (!pull.isDrag && this.pickHere(pull.word)) return;
    if (!pull.isDrag) this.go(pull.word);
    this.say(`${this.quote(this.selection)} selected.`);
  }
}
