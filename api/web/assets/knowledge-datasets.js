// Collections of cases: which there are, and what must be known of one before it is relied on.

import { askJson } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { casesReceipt, confirmed } from "./knowledge-dialogs.js";
import { badge, deed, given, shown, told } from "./knowledge-page.js";
import { reportOf } from "./knowledge-report.js";
import { table } from "./knowledge-tables.js";
import { moment } from "./knowledge-words.js";

const region = find("#datasets");
const pathOf = (name) => encodeURIComponent(name);

async function list() {
  const { datasets } = await askJson("/v1/datasets");
  return table("Datasets", ["Name", "State", { name: "Cases", number: true }, "Added", "Retired"],
    datasets.map((one) => [
      element("a", { href: `/knowledge/datasets/${pathOf(one.name)}` }, one.name), stateBadge(one), one.cases.toLocaleString("en"),
      [moment(one.created_at), one.created_by && ` by ${one.created_by}`], one.retired_at ? [moment(one.retired_at), one.retired_by && ` by ${one.retired_by}`] : "–",
    ]), { empty: "There is no dataset yet. Take one in on the server's machine: dermacite ingest cases FOLDER" });
}

function stateBadge(dataset) {
  return dataset.state === "live" ? badge("in use", "good") : badge("retired");
}

async function report() {
  const found = await askJson(`/v1/datasets/${pathOf(given.dataset)}`);
  const { dataset } = found;
  return [
    element("div", { class: "card row apart" },
      element("p", {}, stateBadge(dataset), ` ${counted(dataset.cases, "case")}, added ${moment(dataset.created_at)}`, dataset.created_by && ` by ${dataset.created_by}`),
      element("div", { class: "row" }, actions(dataset))),
    ...reportOf(found),
  ];
}

function actions(dataset) {
  const live = dataset.state === "live";
  return [
    live && deed("Retire", () => moved(dataset, "retire")),
    !live && deed("Restore", () => moved(dataset, "restore")),
    deed("Delete …", () => remove(dataset), { danger: true }),
  ];
}

async function moved(dataset, action) {
  const words = action === "retire"
    ? { title: `Retire the dataset ${dataset.name}?`, line: "None of its cases is found from then on, and none votes. Nothing is deleted; it can be restored.", action: "Retire" }
    : { title: `Restore the dataset ${dataset.name}?`, line: "Its cases are found and vote again.", action: "Restore" };
  const again = "Then the index is built anew, because how sure a vote is depends on the cases that vote; that can take a while.";
  if (!(await confirmed({ title: words.title, lines: [words.line, again], action: words.action }))) return;
  await askJson(`/v1/datasets/${pathOf(dataset.name)}/${action}`, { method: "POST" });
  await shown(region, report);
  told(`The dataset ${dataset.name} is ${action === "retire" ? "retired" : "in use again"}.`);
}

async function remove(dataset) {
  const sure = await confirmed({
    title: `Delete the dataset ${dataset.name}?`,
    lines: [`All ${counted(dataset.cases, "case")} go for good, with pictures, captions and vectors, from every index too. To hide them only, retire it instead.`],
    action: `Delete ${dataset.name}`, danger: true,
  });
  if (!sure) return;
  const receipt = casesReceipt(await askJson(`/v1/datasets/${pathOf(dataset.name)}`, { method: "DELETE" }));
  fill(find("#receipts"), receipt);
  fill(region, element("p", {}, element("a", { href: "/knowledge/datasets" }, "To the other datasets")));
  receipt.focus();
}

shown(region, given.dataset ? report : list);
