"""A curator takes guidelines in and keeps them right, in a real browser on a real server with a home of its own."""

import re

import httpx
from playwright.sync_api import FilePayload, expect

from tests.browser.conftest import Open
from tests.browser.curating import broken, confirm, ended, pdf, proven, sent, upload
from tests.browser.serving import Server

FIRST = "Scabies: apply permethrin 5 % cream to the whole body once and repeat the treatment after 7 days."
SECOND = "Scabies: apply permethrin 5 % cream to the whole body once and repeat the treatment after 14 days."
MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>"


# --- in ------------------------------------------------------------------------------------------------------------------


def test_good_and_bad_files_go_in_together_and_each_says_what_became_of_it(own_server: Server, open_page: Open) -> None:
    watched = open_page(f"{own_server.url}/knowledge/upload")
    page = watched.page
    outcomes = upload(page, pdf("good.pdf", "Rosacea: apply metronidazole 0.75 % twice daily."), broken("bad.pdf"))
    expect(outcomes).to_have_count(2)
    good, bad = outcomes.filter(has_text="good.pdf"), outcomes.filter(has_text="bad.pdf")
    expect(good).to_contain_text("Added, 1 passage on 1 page.")
    expect(bad).to_contain_text("The PDF is damaged and cannot be read.")
    expect(page.get_by_text("2 of 2 files through, 1 refused")).to_be_visible()
    watched.settle("upload-done")

    # Loaded again, the page shows the same job.
    page.reload()
    ended(page, 2)
    expect(page.locator(".outcomes > li")).to_have_count(2)
    good.get_by_role("link", name="Open the guideline").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("good")


def test_what_cannot_be_sent_is_said_before_it_is(own_server: Server, open_page: Open) -> None:
    page = open_page(f"{own_server.url}/knowledge/upload").page
    button = page.get_by_role("button", name="Upload", exact=True)
    expect(button).to_be_disabled()
    page.get_by_label("PDF files").set_input_files(
        [FilePayload(name="empty.pdf", mimeType="application/pdf", buffer=b"")]
    )
    expect(page.get_by_text("Take away what cannot be sent.")).to_be_visible()
    expect(button).to_be_disabled()
    page.get_by_role("button", name="Take empty.pdf away").click()
    page.get_by_label("PDF files").set_input_files([pdf(f"{number}.pdf", str(number)) for number in range(21)])
    expect(page.get_by_text("At most 20 files go at once; take some away.")).to_be_visible()
    expect(button).to_be_disabled()
    page.get_by_role("button", name="Take 20.pdf away").click()
    expect(button).to_be_enabled()
    page.get_by_text("What is known of the source").click()
    expect(page.get_by_text("This is about one file.")).to_be_visible()
    expect(page.get_by_label("Title", exact=True)).to_be_disabled()


def test_a_source_and_the_guideline_it_renews_go_with_a_single_file(own_server: Server, open_page: Open) -> None:
    first = sent(own_server, pdf("old.pdf", "Lice: comb the wet hair with a fine comb twice a week.", "Lice"))
    page = open_page(f"{own_server.url}/knowledge/upload?document={first['id']}").page
    page.get_by_label("PDF files").set_input_files([pdf("new.pdf", "Lice: apply dimeticone 4 % once.", "Lice")])
    page.get_by_text("What is known of the source").click()
    page.get_by_label("Publisher").fill("A society")
    page.get_by_role("button", name="Upload", exact=True).click()  # refused by the form: a source needs its title
    assert page.get_by_label("Title", exact=True).evaluate("one => one.validationMessage").startswith("Say the title")
    page.get_by_label("Title", exact=True).fill("Head lice")
    page.get_by_label("Tags").fill("children, scalp")
    page.get_by_label("No longer in force from").fill("2020-01-31")
    page.get_by_role("button", name="Upload", exact=True).click()
    ended(page, 1)
    expect(page.locator(".outcomes")).to_contain_text("It took the place of the version before.")
    page.get_by_role("link", name="Open the guideline").click()
    expect(page.get_by_role("heading", name="Head lice")).to_be_visible()
    expect(page.get_by_text("children, scalp")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Version 2"))).to_contain_text("expired")
    expect(page.get_by_role("row", name=re.compile("Version 1"))).to_contain_text("superseded")


def test_files_can_be_dropped(own_server: Server, open_page: Open) -> None:
    page = open_page(f"{own_server.url}/knowledge/upload").page
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["%PDF-1.7"], "dropped.pdf", { type: "application/pdf" }));
            const options = { dataTransfer: data, bubbles: true, cancelable: true };
            document.querySelector("#drop").dispatchEvent(new DragEvent("drop", options));
        }"""
    )
    expect(page.get_by_role("list", name="Chosen files")).to_contain_text("dropped.pdf")
    expect(page.get_by_text("1 file to send")).to_be_visible()


# --- versions ------------------------------------------------------------------------------------------------------------


def test_a_draft_is_approved_supersedes_is_retired_and_deleted_with_receipts(
    own_server: Server, open_page: Open
) -> None:
    first = sent(own_server, pdf("one.pdf", FIRST))
    watched = open_page(f"{own_server.url}/knowledge/upload?document={first['id']}")
    page = watched.page
    page.get_by_label("Take them in as drafts").check()
    outcomes = upload(page, pdf("two.pdf", SECOND))
    expect(outcomes).to_contain_text("It is a draft: found once somebody approves it.")

    page.goto(f"{own_server.url}/knowledge/documents/{first['id']}")
    row = {number: page.get_by_role("row", name=re.compile(f"^Version {number} ")) for number in (1, 2)}
    expect(row[2]).to_contain_text("draft")
    watched.settle("document-draft")
    page.get_by_role("button", name="Approve version 2").click()
    expect(page.get_by_role("dialog")).to_contain_text("Version 1, in force now, is superseded in the same step.")
    watched.settle("approve-dialog")
    confirm(page, "Put in force")
    expect(row[2]).to_contain_text("in force")
    expect(row[1]).to_contain_text("superseded")
    expect(page.get_by_text("Version 2 of “two” is in force.")).to_be_visible()

    page.get_by_role("button", name="Retire version 2").click()
    page.keyboard.press("Escape")
    expect(row[2]).to_contain_text("in force")  # Escape is no
    page.get_by_role("button", name="Retire version 2").click()
    confirm(page, "Take out of use")
    expect(row[2]).to_contain_text("retired")
    page.get_by_role("button", name="Bring back version 1").click()
    confirm(page, "Put in force")
    expect(row[1]).to_contain_text("in force")

    page.get_by_role("button", name="Delete version 2").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete version 2 of “two”?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    confirm(page, "Delete version 2")
    proven(page)
    watched.settle("version-receipt")
    expect(row[2]).to_have_count(0)

    page.get_by_role("button", name="Delete the guideline").click()
    expect(page.get_by_role("dialog")).to_contain_text("Its 1 version with 1 passage and its file")
    confirm(page, "Delete the guideline")
    proven(page)
    assert httpx.get(f"{own_server.url}/v1/documents/{first['id']}").status_code == 404


def test_two_versions_are_compared_by_their_numbers(own_server: Server, open_page: Open) -> None:
    first = sent(own_server, pdf("one.pdf", FIRST.replace("Scabies", "Scabies of infants")))
    sent(own_server, pdf("two.pdf", SECOND.replace("Scabies", "Scabies of infants")), document=first["id"])
    watched = open_page(f"{own_server.url}/knowledge/documents/{first['id']}")
    page = watched.page
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("from version 1 to version 2")).to_be_visible()
    expect(page.locator("del")).to_have_text("7")
    expect(page.locator("ins")).to_have_text("14")
    watched.settle("compare")
    page.get_by_role("link", name="page 1").last.click()
    expect(page.locator("g.passage.chosen rect").first).to_be_visible()


def test_the_source_of_a_version_is_corrected(own_server: Server, open_page: Open) -> None:
    added = sent(own_server, pdf("warts.pdf", "Warts: apply salicylic acid 17 % daily for 12 weeks.", "Warts"))
    watched = open_page(f"{own_server.url}/knowledge/documents/{added['id']}")
    page = watched.page
    page.get_by_role("button", name="Describe version 1").click()
    watched.settle("describe-dialog")
    page.get_by_label("Title", exact=True).fill(MARKUP)
    page.get_by_label("Due for review on").fill("2021-01-31")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)  # text it is, not markup
    expect(page.get_by_text("review due").first).to_be_visible()
    assert page.locator("main img, main b").count() == 0


def test_a_refusal_is_told_with_its_reason(own_server: Server, open_page: Open) -> None:
    added = sent(own_server, pdf("acne.pdf", "Acne: apply benzoyl peroxide 5 % at night.", "Acne"), draft="true")
    watched = open_page(f"{own_server.url}/knowledge/documents/{added['id']}")
    watched.expected = {409}
    page = watched.page
    approve = page.get_by_role("button", name="Approve version 1")
    expect(approve).to_be_visible()
    httpx.post(f"{own_server.url}/v1/versions/{added['version']}/approve")  # somebody else was faster
    approve.click()
    confirm(page, "Put in force")
    expect(page.get_by_role("alert")).to_contain_text("the version is live already")
    watched.settle("refused")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_have_count(0)
