// Nothing here is needed: every page works without it. It passes over a second click on a form that is on its
// way, and says that the answer is being sent.
"use strict";

const WAIT = 10000; // then a click counts again: the network may have swallowed the first

const sent = new Set();
const status = document.getElementById("status");
const leaving = document.getElementById("leaving");

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (sent.has(form)) {
    event.preventDefault();
    return;
  }
  sent.add(form);
  setTimeout(settle, WAIT);
  if (status && leaving && event.submitter?.name === "decision") {
    status.replaceChildren(leaving.content.cloneNode(true));
  }
});

// Back from the recipient, the page may come out of the browser's memory as it was left.
addEventListener("pageshow", settle);

function settle() {
  sent.clear();
  status?.replaceChildren();
}
