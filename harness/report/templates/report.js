"use strict";
// The page can be read without this: it filters, copies, and opens what a link leads to.
(() => {
  const search = document.getElementById("filter");
  const attention = document.getElementById("attention");
  const filtered = document.querySelectorAll("[data-filter]");
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const element of filtered) {
      const text = element.dataset.filter.toLowerCase();
      const hit = words.every((word) => text.includes(word)) && !(attention.checked && element.dataset.calm === "yes");
      element.hidden = !hit;
      left += hit;
    }
    document.getElementById("left").textContent = `${left} of ${filtered.length} shown`;
  };
  search.addEventListener("input", apply);
  attention.addEventListener("change", apply);
  document.getElementById("filters").hidden = false;

  for (const block of document.querySelectorAll("pre.command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }

  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    target.hidden = false;
    target.querySelector("details")?.setAttribute("open", "");
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  reveal();
})();
