// Run inside the page: what is shown in each language, how legible it is, and whether anything leaves its frame.
const isShown = (node) => node.getClientRects().length > 0;

const brightness = (colour) => {
  const [red, green, blue] = colour.match(/[\d.]+/g).slice(0, 3).map(Number).map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

const ground = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!/, 0\)$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};

const contrast = (node) => {
  const [light, dark] = [getComputedStyle(node).color, ground(node)].map(brightness).sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};

const isOutside = (text) => {
  const box = text.getBoundingClientRect();
  const frame = text.closest("svg").getBoundingClientRect();
  return box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2 || box.bottom > frame.bottom + 2;
};

// Texts of one drawing that stand on each other; only asked of drawings whose labels are as long as a card's are.
const onEachOther = () => [...document.querySelectorAll("#effects svg")].filter(isShown).flatMap((drawing) => {
  const boxes = [...drawing.querySelectorAll("text")].filter(isShown).map((text) => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([said, a], i) => boxes.slice(i + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4,
  ).map(([other]) => `${said} | ${other}`));
});

const look = () => {
  const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  const texts = [...document.querySelectorAll("main *")].filter((n) => !n.closest("svg") && isShown(n) && hasText(n));
  return {
    english: [...document.querySelectorAll(".en")].filter(isShown).length,
    chinese: [...document.querySelectorAll(".zh")].filter(isShown).length,
    faint: texts.filter((node) => contrast(node) < 4.5).map((node) => node.textContent),
    outside: [...document.querySelectorAll("svg text")].filter(isShown).filter(isOutside).map((t) => t.textContent),
    cut: [...document.querySelectorAll(".scroll")].filter((n) => isShown(n) && n.firstChild.scrollWidth > n.clientWidth + 1).map((n) => n.textContent.slice(0, 60)),
    onEachOther: onEachOther(),
    tooWide: document.documentElement.scrollWidth - innerWidth,
  };
};

const before = look();
document.querySelector('label[for="lang-zh"]').click();
const after = look();
const resources = performance.getEntriesByType("resource").map((entry) => entry.name);
const found = document.createElement("pre");
found.id = "found";
found.textContent = JSON.stringify({ before, after, resources });
document.body.append(found);
