// What was taken in, the newest first, and one job as it goes on.

import { askJson } from "./api.js";
import { counted, find } from "./dom.js";
import { jobBadge, start } from "./knowledge-job.js";
import { given, shown } from "./knowledge-page.js";
import { link } from "./knowledge-parts.js";
import { table } from "./knowledge-tables.js";
import { deedBy } from "./knowledge-words.js";

const KINDS = { ingest_documents: "guidelines", ingest_cases: "cases" };

async function list() {
  const state = find("#state").value;
  const { jobs } = await askJson(`/v1/jobs?limit=100${state ? `&state=${state}` : ""}`);
  return table("Jobs, the newest first", ["Job", "State", "What", "Files", "Sent", "Ended"], jobs.map((one) => {
    const refused = one.items.filter((item) => item.outcome?.state === "refused").length;
    return [
      link(`/knowledge/jobs/${one.id}`, one.id), jobBadge(one.state), KINDS[one.kind] ?? one.kind,
      [counted(one.items.length, "file"), refused > 0 && `, ${refused} refused`],
      deedBy(one.created_at, one.actor), deedBy(one.finished_at),
    ];
  }), { empty: state ? "No job is in this state." : "Nothing was taken in yet." });
}

if (given.job) start();
else {
  find("#state").addEventListener("input", () => shown(find("#jobs"), list));
  shown(find("#jobs"), list);
}
