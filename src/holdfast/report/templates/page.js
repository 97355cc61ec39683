"use strict";
(() => {
  const FOLD = 10;

  // Tooltips: native titles become a box that appears at once.
  const box = document.createElement("div");
  box.className = "tip";
  box.hidden = true;
  document.body.append(box);
  for (const title of document.querySelectorAll("svg .hit > title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  for (const element of document.querySelectorAll(".strip[title], table.grid [title], code[title], img[title]")) {
    element.dataset.tip = element.title;
    element.removeAttribute("title");
  }
  const show = (event) => {
    const owner = event.target.closest && event.target.closest("[data-tip]");
    box.hidden = !owner || !owner.dataset.tip;
    if (box.hidden) return;
    const here = document.elementsFromPoint(event.clientX, event.clientY).filter((element) => element.matches(".hit[data-tip]"));
    box.textContent = (here.length ? here.slice(0, 4) : [owner]).map((element) => element.dataset.tip).join("\n\n");
    const place = owner.getBoundingClientRect();
    const left = place.left + place.width / 2 - box.offsetWidth / 2;
    const above = place.top - box.offsetHeight - 6;
    box.style.left = `${Math.max(4, Math.min(left, document.documentElement.clientWidth - box.offsetWidth - 4))}px`;
    box.style.top = `${above > 4 ? above : place.bottom + 6}px`;
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("scroll", () => { box.hidden = true; }, { passive: true });

  // Sorting: a click on a heading sorts by data-v where it is there, otherwise by text.
  const content = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent.trim();
    const value = text === "" ? NaN : Number(text);
    return { text, value };
  };
  const compare = (first, second) => {
    if (!Number.isNaN(first.value) && !Number.isNaN(second.value)) return first.value - second.value;
    return first.text.localeCompare(second.text, "en", { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.classList.contains("plain") || !head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const falling = head.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", falling ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: content(row, column) }));
        rows.sort((a, b) => (falling ? compare(b.key, a.key) : compare(a.key, b.key)));
        table.tBodies[0].append(...rows.map((entry) => entry.row));
        table.dispatchEvent(new Event("rearranged"));
      });
    });
  }

  // Long tables: folded to their first rows, with a filter; printing shows them whole.
  for (const table of document.querySelectorAll("table.long")) {
    const body = table.tBodies[0];
    if (body.rows.length <= FOLD + 2) continue;
    const tools = document.createElement("p");
    tools.className = "tools";
    const filter = document.createElement("input");
    filter.type = "search";
    filter.placeholder = "filter rows";
    filter.setAttribute("aria-label", "filter rows");
    const more = document.createElement("button");
    more.type = "button";
    tools.append(filter, more);
    table.closest(".scroll").before(tools);
    let open = false;
    const arrange = () => {
      const wanted = filter.value.trim().toLowerCase();
      let shown = 0;
      for (const row of body.rows) {
        const fits = !wanted || row.textContent.toLowerCase().includes(wanted);
        row.classList.toggle("folded", !fits || (!open && shown >= FOLD));
        shown += fits ? 1 : 0;
      }
      more.textContent = open ? `show the first ${FOLD}` : `show all ${shown} rows`;
      more.hidden = shown <= FOLD;
    };
    filter.addEventListener("input", arrange);
    more.addEventListener("click", () => { open = !open; arrange(); });
    table.addEventListener("rearranged", arrange);
    arrange();
  }
})();
