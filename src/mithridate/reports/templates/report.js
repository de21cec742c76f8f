"use strict";
(() => {
  const make = (tag, text, name) => {
    const node = document.createElement(tag);
    node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const copy = (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = make("textarea", text, "unseen");
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    return Promise.resolve();
  };
  for (const box of document.querySelectorAll(".command")) {
    const button = make("button", "Copy");
    button.type = "button";
    button.addEventListener("click", () => {
      copy(box.querySelector("code").textContent).then(() => {
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
    });
    box.append(button);
  }
  const cards = [...document.querySelectorAll(".finding")];
  const present = ["critical", "high", "medium", "low"].filter((s) => cards.some((c) => c.dataset.severity === s));
  if (cards.length > 3) {
    const bar = make("div", "", "filter");
    const hidden = new Set();
    let needle = "";
    const said = make("span", "", "unseen");
    said.setAttribute("role", "status");
    const apply = () => {
      for (const card of cards) {
        card.hidden = hidden.has(card.dataset.severity) || !card.textContent.toLowerCase().includes(needle);
      }
      for (const group of document.querySelectorAll(".group")) {
        group.hidden = !group.querySelector(".finding:not([hidden])");
      }
      said.textContent = `${cards.filter((c) => !c.hidden).length} of ${cards.length} findings shown`;
    };
    for (const severity of present) {
      const n = cards.filter((c) => c.dataset.severity === severity).length;
      const button = make("button", `${severity} ${n}`, severity);
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        const on = hidden.has(severity);
        if (on) hidden.delete(severity); else hidden.add(severity);
        button.setAttribute("aria-pressed", String(on));
        apply();
      });
      bar.append(button);
    }
    const search = make("input", "");
    search.type = "search";
    search.placeholder = "Filter findings";
    search.setAttribute("aria-label", "Filter findings");
    search.addEventListener("input", () => { needle = search.value.toLowerCase(); apply(); });
    bar.append(search, said);
    document.querySelector(".findings > .heading").append(bar);
  }
  let shut = [];
  addEventListener("beforeprint", () => {
    shut = [...document.querySelectorAll(".finding > details:not([open])")];
    for (const fold of shut) fold.open = true;
  });
  addEventListener("afterprint", () => { for (const fold of shut) fold.open = false; });
})();
