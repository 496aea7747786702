"""Write `pages/index.tsv` from the pages and add new names to `names.txt`. Run it after a page changed; a test says when to."""

from __future__ import annotations

from pathlib import Path

from unexpire.reference import page

HERE = Path(__file__).parent
PAGES = HERE.parents[1] / "src" / "unexpire" / "reference" / "pages"


def main() -> None:
    pages = [page.parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(PAGES.glob("*.md"))]
    (PAGES / "index.tsv").write_text(page.render_index(pages), encoding="utf-8")
    published = HERE / "names.txt"
    known = set(published.read_text(encoding="utf-8").splitlines()) if published.exists() else set()
    known |= {name for one in pages for name in one.names}
    published.write_text("".join(f"{name}\n" for name in sorted(known)), encoding="utf-8")


if __name__ == "__main__":
    main()
