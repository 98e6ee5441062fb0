/** Text as it may stand in a page. */
export function escaped(text) {
  const signs = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(text).replace(/[&<>"']/g, (sign) => signs[sign]);
}

/** The page. It says which release made it, so that a person can watch traffic move. */
export function page({ release, colour, backend }) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Frontend, release ${escaped(release)}</title>
<style>
  body { font: 1.25rem/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 32rem; padding: 0 1rem }
  .blue { border-left: 0.75rem solid #1d4ed8 } .green { border-left: 0.75rem solid #15803d }
  h1 { padding-left: 1rem }
</style>
<h1 class="${escaped(colour)}">Release ${escaped(release)}, ${escaped(colour)}</h1>
<p>Backend: ${escaped(backend)}</p>
`;
}
