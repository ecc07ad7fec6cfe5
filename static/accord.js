// Nothing here is needed: every page works without it. It passes over a second click on a form that is on its
// way, says that the answer is being sent, and offers more time before the time to answer runs out.
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
  if (event.submitter?.name === "extend" && ends > Date.now()) {
    event.preventDefault();
    getMoreTime(form, event.submitter);
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

// The time left. The device's own clock may be wrong, so what counts is how long it has been since the page came.

const RUNNING_OUT = 2 * 60 * 1000;

const offer = document.getElementById("time-offer");
let ends = endOf(document);
let offered = null;

if (offer) {
  watchTime();
  setInterval(watchTime, 1000);
  document.addEventListener("visibilitychange", watchTime); // after a sleep, at once
}

function endOf(page) {
  const left = page.getElementById("time-left")?.dataset.secondsLeft;
  return left === undefined ? 0 : Date.now() + Number(left) * 1000;
}

function watchTime() {
  const left = ends - Date.now();
  const wanted = left <= 0 ? "run-out" : left <= RUNNING_OUT ? "running-out" : null;
  if (wanted === offered) return;
  offered = wanted;
  const content = wanted && document.getElementById(wanted).content.cloneNode(true);
  offer.replaceChildren(...(content ? [content] : []));
}

// The form is sent as a click would send it, and this page stays where its reader is. Whatever goes wrong, the
// click is made after all.
async function getMoreTime(form, button) {
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, button)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const left = page.getElementById("time-left");
    if (!answer.ok || !left) throw new Error("not the form");
    ends = endOf(page);
    document.getElementById("time-left").replaceWith(left);
    watchTime();
    status.textContent = left.textContent;
    if (document.activeElement === document.body) left.nextElementSibling.querySelector("button").focus({ preventScroll: true });
  } catch {
    ends = 0;
    setTimeout(() => form.requestSubmit(button.isConnected ? button : form.querySelector("[name=extend]")));
  }
}
