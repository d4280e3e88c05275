// Collections of cases: which there are, and what must be known of one before it is relied on.

import { askJson } from "./api.js";
import { counted, element, fill, find } from "./dom.js";
import { casesReceipt, confirmed } from "./knowledge-dialogs.js";
import { deed, given, shown, told } from "./knowledge-page.js";
import { badge, link } from "./knowledge-parts.js";
import { reportOf } from "./knowledge-report.js";
import { table } from "./knowledge-tables.js";
import { deedBy } from "./knowledge-words.js";

const COLUMNS = ["Name", "State", { name: "Cases", number: true }, "Added", "Retired"];
const EMPTY = "There is no dataset yet. Take one in on the server's machine: dermacite ingest cases FOLDER";
const REBUILT = "Then the index is built anew, because how sure a vote is depends on the cases that vote. That can take a while.";

const region = find("#datasets");
const pageOf = (name) => `/knowledge/datasets/${encodeURIComponent(name)}`;
const routeOf = (name) => `/v1/datasets/${encodeURIComponent(name)}`;

async function list() {
  const { datasets } = await askJson("/v1/datasets");
  const rows = datasets.map((one) => [
    link(pageOf(one.name), one.name), stateBadge(one), one.cases.toLocaleString("en"),
    deedBy(one.created_at, one.created_by), deedBy(one.retired_at, one.retired_by),
  ]);
  return table("Datasets", COLUMNS, rows, { empty: EMPTY });
}

function stateBadge(dataset) {
  return dataset.state === "live" ? badge("in use", "good") : badge("retired");
}

async function report() {
  const found = await askJson(routeOf(given.dataset));
  const { dataset } = found;
  const added = `${counted(dataset.cases, "case")}, added ${deedBy(dataset.created_at, dataset.created_by)}`;
  return [
    element("div", { class: "card row apart" },
      element("p", {}, stateBadge(dataset), " ", added), element("div", { class: "row" }, actions(dataset))),
    ...reportOf(found),
  ];
}

function actions(dataset) {
  const live = dataset.state === "live";
  return [
    live ? deed("Retire …", () => retire(dataset)) : deed("Restore …", () => restore(dataset)),
    deed("Delete …", () => remove(dataset), { danger: true }),
  ];
}

async function retire(dataset) {
  const line = "None of its cases is found from then on, and none votes. Nothing is deleted; it can be restored.";
  const question = { title: `Retire the dataset ${dataset.name}?`, lines: [line, REBUILT], action: "Retire" };
  if (await confirmed(question)) await moved(dataset, "retire", "is retired");
}

async function restore(dataset) {
  const lines = ["Its cases are found and vote again.", REBUILT];
  const question = { title: `Restore the dataset ${dataset.name}?`, lines, action: "Restore" };
  if (await confirmed(question)) await moved(dataset, "restore", "is in use again");
}

async function moved(dataset, action, words) {
  await askJson(`${routeOf(dataset.name)}/${action}`, { method: "POST" });
  await shown(region, report);
  told(`The dataset ${dataset.name} ${words}.`);
}

async function remove(dataset) {
  const sure = await confirmed({
    title: `Delete the dataset ${dataset.name}?`,
    lines: [
      `All ${counted(dataset.cases, "case")} go for good, with pictures, captions and vectors, from every index too.`,
      "To hide them only, retire it instead.",
    ],
    action: `Delete ${dataset.name}`, danger: true,
  });
  if (!sure) return;
  const receipt = casesReceipt(await askJson(routeOf(dataset.name), { method: "DELETE" }));
  fill(region, receipt, element("p", {}, link("/knowledge/datasets", "To the other datasets")));
  receipt.focus();
}

shown(region, given.dataset ? report : list);
