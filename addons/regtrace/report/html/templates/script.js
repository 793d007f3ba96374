// Adds to a page that is whole without it: filtering and sorting of a list, and the copying of a link.
"use strict";
for (const tools of document.querySelectorAll("[data-tools]")) {
  const list = document.getElementById(tools.dataset.tools);
  const rows = [...list.children];
  const words = tools.querySelector("[data-words]");
  const failed = tools.querySelector("[data-failed]");
  const order = tools.querySelector("[data-order]");
  const count = tools.querySelector("[data-count]");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      const bad = row.classList.contains("is-bad");
      row.hidden = (failed.checked && !bad) || !wanted.every((word) => texts[place].includes(word));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = `${shown} of ${rows.length}`;
  };
  const sort = () => {
    const key = order.value;
    const ranked = [...rows];
    if (key !== "time") ranked.sort((a, b) => Number(b.dataset[key]) - Number(a.dataset[key]));
    list.append(...ranked);
  };
  words.addEventListener("input", filter);
  failed.addEventListener("change", filter);
  order.addEventListener("change", sort);
  filter();
  tools.hidden = false;
}
for (const button of document.querySelectorAll("[data-link]")) {
  button.addEventListener("click", async () => {
    const link = new URL(`#${button.dataset.link}`, location.href);
    try {
      await navigator.clipboard.writeText(link.href);
      button.textContent = "Copied";
    } catch {
      location.hash = link.hash;
      button.textContent = "Copy it from the address bar";
    }
  });
  button.hidden = false;
}
// A link into what is folded unfolds it; most browsers do that themselves.
const unfold = () => {
  const target = document.getElementById(location.hash.slice(1));
  let fold = target ? target.closest("details") : null;
  if (!fold) return;
  for (; fold; fold = fold.parentElement.closest("details")) fold.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();
