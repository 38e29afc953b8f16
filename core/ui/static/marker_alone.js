// A text to mark that is a component of its own: the same card goes on while the page runs anew.

const markings = new WeakMap(); // the component's element -> the text in it

export default function ({ parentElement, data, setStateValue }) {
  const host = parentElement.querySelector(".marker");
  const marking = markings.get(host);
  // Streamlit calls this whenever anything about the component changed.
  if (marking?.data.card === data.card) marking.again(data, setStateValue);
  else markings.set(host, new Marking(host, data, setStateValue));
}
