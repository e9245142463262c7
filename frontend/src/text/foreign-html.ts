// HTML as other programs write it, from the clipboard or a file, made to say what it means in the elements that our schema
// reads: Word's lists are paragraphs with a sign, the check lists of Google Docs and GitHub are lists with boxes in them.

export function tidy(root: ParentNode & Node): void {
  for (const paragraph of root.querySelectorAll("p, h1, h2, h3, h4, h5, h6")) wordItem(paragraph);
  for (const list of [...root.querySelectorAll("ul, ol")]) checkList(list);
}

/** The list that is being made of Word's paragraphs: one place per level, the last one the deepest. */
let open: { readonly level: number; readonly list: Element }[] = [];

/** Word says of a paragraph at which level of which list it is, and writes the sign before its words. */
function wordItem(paragraph: Element): void {
  const level = Number(/mso-list:[^;]*\blevel(\d)/i.exec(paragraph.getAttribute("style") ?? "")?.[1] ?? 0);
  if (level === 0) return;
  const signs = [...paragraph.querySelectorAll("span")].filter((span) => /mso-list:\s*ignore/i.test(span.getAttribute("style") ?? ""));
  const sign = signs.map(({ textContent }) => textContent).join("").trim();
  const number = /^\(?(\d+|[a-z]{1,4})[.)]/i.exec(sign)?.[1];
  const tag = number === undefined ? "UL" : "OL";

  // What is right behind the list that was made last belongs to it.
  if (open[0]?.list !== paragraph.previousElementSibling) open = [];
  while ((open.at(-1)?.level ?? 0) > level) open.pop();
  if (open.at(-1)?.level === level && open.at(-1)?.list.tagName !== tag) open.pop();
  let list = open.at(-1)?.list;
  if (list === undefined || open.at(-1)?.level !== level) {
    const made = paragraph.ownerDocument.createElement(tag);
    if (Number(number) > 1) made.setAttribute("start", String(number));
    if (list === undefined) paragraph.before(made);
    else list.lastElementChild?.append(made);
    list = made;
    open.push({ level, list });
  }
  for (const span of signs) span.remove();
  const item = paragraph.ownerDocument.createElement("li");
  list.append(item);
  item.append(paragraph);
}

/** Items with a box become tasks; where they change to others and back, so does the list. */
function checkList(list: Element): void {
  if (list.getAttribute("data-type") === "taskList") return;
  const checks = new Map([...list.children].filter(({ tagName }) => tagName === "LI").map((item) => [item, isChecked(item)]));
  if ([...checks.values()].every((checked) => checked === null)) return;
  let part: { readonly element: Element; readonly tasks: boolean } | null = null;
  for (const child of [...list.children]) {
    const checked = checks.get(child) ?? null;
    // Google puts a list within a list behind the item it belongs to.
    if (!checks.has(child)) {
      if (part === null) list.before(child);
      else part.element.lastElementChild?.append(child);
      continue;
    }
    if ((part === null || part.tasks !== (checked !== null))) {
      const element = list.ownerDocument.createElement(checked === null ? list.tagName : "ul");
      if (checked !== null) element.setAttribute("data-type", "taskList");
      list.before(element);
      part = { element, tasks: checked !== null };
    }
    part.element.append(child);
    if (checked === null) continue;
    child.setAttribute("data-type", "taskItem");
    child.setAttribute("data-checked", String(checked));
    for (const box of boxesOf(child)) box.remove();
  }
  list.remove();
}

const boxesOf = (item: Element): readonly Element[] =>
  [...item.querySelectorAll('input[type="checkbox"], [aria-roledescription="checkbox"]')].filter((box) => box.closest("li") === item);

/** Whether the box of an item is ticked; `null` if it has none. */
function isChecked(item: Element): boolean | null {
  if (item.getAttribute("role") === "checkbox") return item.getAttribute("aria-checked") === "true";
  const box = boxesOf(item).find(({ tagName }) => tagName === "INPUT");
  return box === undefined ? null : box.hasAttribute("checked");
}
