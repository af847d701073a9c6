"""The page's own style and script: no framework, nothing is fetched."""

from __future__ import annotations

PAGE_STYLE = """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.45 system-ui,'Helvetica Neue',Arial,sans-serif}
header,section{padding:12px 20px}
h1{font-size:20px;margin:0}h2{font-size:16px;margin:0 0 6px}
p{margin:4px 0;color:var(--soft)}
main{display:grid;grid-template-columns:minmax(0,1fr) minmax(300px,420px)}
#why{min-height:100vh;border-left:1px solid var(--edge);padding:12px 18px;
position:sticky;top:0;max-height:100vh;overflow:auto;align-self:start}
#why h3{font-size:14px;margin:14px 0 4px}
#why pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--frame);
border:1px solid var(--edge);border-radius:6px;padding:8px 10px;margin:6px 0;
font:12.5px/1.5 ui-monospace,Menlo,Consolas,monospace;color:var(--ink)}
#why pre:first-line{font-weight:700}
.canvas{border:1px solid var(--edge);border-radius:8px;overflow:hidden}
.canvas svg{display:block;width:100%;height:min(68vh,var(--high,68vh));
cursor:grab;touch-action:none}
.tools{margin-bottom:6px}
button{font:inherit;min-width:34px;padding:2px 10px;color:var(--ink);
background:var(--card);border:1px solid var(--rim);border-radius:6px;cursor:pointer}
.scroll{overflow:auto;max-height:80vh;max-width:100%}
table{border-collapse:collapse;font-size:12.5px}
#matrix th,#matrix td{border:1px solid var(--edge);padding:2px 6px;white-space:nowrap}
#matrix td{text-align:center;cursor:pointer;min-width:30px}
#matrix th{background:var(--frame);font-weight:400;text-align:left;position:sticky}
#matrix thead th{top:0;z-index:1;text-align:center}
#matrix tbody th{left:0;max-width:320px;overflow:hidden;text-overflow:ellipsis}
td.n{color:var(--soft)}td.x{background:var(--frame)}
td.a{background:var(--pill);color:var(--pillink);font-weight:700}
td.s{background:var(--pill);color:var(--pillink)}
td.u{background:repeating-linear-gradient(45deg,var(--frame) 0 4px,var(--card) 4px 8px)}
#matrix .row,#matrix .col{outline:1px solid var(--rim);outline-offset:-1px}
#matrix td.at{outline:2px solid var(--h0);outline-offset:-2px}
:focus-visible{outline:2px solid var(--h0);outline-offset:1px}
.list td,.list th{text-align:left;padding:2px 14px 2px 0}
.card{cursor:pointer}
@media(max-width:900px){main{display:block}#why{position:static;border:0;
border-top:1px solid var(--edge)}}
@media print{.tools,#why{display:none}main{display:block}}
"""

SCRIPT = r"""
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const why = document.getElementById('why');
const svg = document.querySelector('.canvas svg');
const grid = document.getElementById('matrix');
function add(parent, tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
}
function ports(row, column) {
  for (const [words, columns] of Object.entries(data.cells[row] || {})) {
    if (columns.includes(column)) return words;
  }
  return '';
}
function tell(row, column) {
  const key = row + ',' + column;
  why.replaceChildren();
  add(why, 'h2', 'Why');
  add(why, 'h3', data.ends[row] + ' → ' + data.ends[column]);
  add(why, 'p', 'Ports: ' + (ports(row, column) || 'none'));
  const stories = data.stories[key] || [];
  for (const story of stories) {
    add(why, 'pre', story.map(line => data.lines[line]).join('\n'));
  }
  if (!stories.length) {
    add(why, 'p', row === column ? 'A pod and itself: no policy is asked.'
      : 'Not told in this page, for it would be too large. Ask:');
  }
  if (row !== column) {
    const ends = data.ask[row] + ' ' + data.ask[column];
    add(why, 'pre', 'ringfence why ' + ends + ' -f FILES');
  }
  mark(row, column);
}
function cellAt(row, column) {
  return grid && grid.querySelector('[data-at="' + row + ',' + column + '"]');
}
function mark(row, column) {
  if (!grid) return;
  for (const old of grid.querySelectorAll('.at,.row,.col')) {
    old.classList.remove('at', 'row', 'col');
    old.removeAttribute('aria-selected');
  }
  const cell = cellAt(row, column);
  for (const other of grid.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.classList.add('at');
  cell.setAttribute('aria-selected', 'true');
  cell.parentElement.querySelector('th').classList.add('row');
  grid.tHead.rows[0].cells[column + 1].classList.add('col');
}
function place(cell) {
  return cell.dataset.at.split(',').map(Number);
}
if (grid) {
  const first = cellAt(0, 0);
  if (first) first.tabIndex = 0;
  grid.addEventListener('click', event => {
    const cell = event.target.closest('[data-at]');
    if (cell) { tell(...place(cell)); cell.focus(); }
  });
  const steps = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
  };
  grid.addEventListener('keydown', event => {
    const cell = event.target.closest('[data-at]');
    if (!cell) return;
    const [row, column] = place(cell);
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      tell(row, column);
    } else if (steps[event.key]) {
      event.preventDefault();
      const [down, right] = steps[event.key];
      const next = cellAt(row + down, column + right);
      if (next) { mark(...place(next)); next.focus(); }
    }
  });
}
function bare(id) { return data.groups[id] || []; }
function follow(line) {
  for (const old of svg.querySelectorAll('.hit.on')) old.classList.remove('on');
  line.classList.add('on');
  const targets = bare(line.dataset.to);
  for (const row of bare(line.dataset.from)) {
    for (const column of targets) {
      if (row !== column && ports(row, column)) return tell(row, column);
    }
  }
}
function choose(card) {
  const id = card.dataset.card, frame = card.dataset.frame;
  for (const line of svg.querySelectorAll('.hit')) {
    const ends = [line.dataset.from, line.dataset.to];
    line.classList.toggle('on', ends.includes(id) || ends.includes(frame));
  }
}
let moved = false;
svg.addEventListener('click', event => {
  if (moved) return;
  const line = event.target.closest('.hit'), card = event.target.closest('.card');
  if (line) follow(line);
  else if (card) choose(card);
  else for (const old of svg.querySelectorAll('.hit.on')) old.classList.remove('on');
});
svg.addEventListener('keydown', event => {
  if (event.key !== 'Enter' && event.key !== ' ') return;
  const line = event.target.closest('.hit');
  if (line) { event.preventDefault(); follow(line); }
});
for (const line of svg.querySelectorAll('.hit')) {
  line.setAttribute('tabindex', '0');
  line.setAttribute('role', 'button');
}
const whole = svg.viewBox.baseVal;
const home = {x: whole.x, y: whole.y, width: whole.width, height: whole.height};
svg.style.setProperty('--high', Math.ceil(home.height + 10) + 'px');
function zoom(factor, x, y) {
  const box = svg.viewBox.baseVal;
  x = x === undefined ? box.x + box.width / 2 : x;
  y = y === undefined ? box.y + box.height / 2 : y;
  box.x = x - (x - box.x) / factor;
  box.y = y - (y - box.y) / factor;
  box.width /= factor;
  box.height /= factor;
}
function point(event) {
  return new DOMPoint(event.clientX, event.clientY)
    .matrixTransform(svg.getScreenCTM().inverse());
}
for (const button of document.querySelectorAll('[data-zoom]')) {
  const factor = Number(button.dataset.zoom);
  button.addEventListener('click', () => {
    if (factor) zoom(factor); else Object.assign(svg.viewBox.baseVal, home);
  });
}
svg.addEventListener('wheel', event => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const at = point(event);
  zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, at.x, at.y);
}, {passive: false});
let grabbed = null;
svg.addEventListener('pointerdown', event => {
  grabbed = point(event);
  moved = false;
});
svg.addEventListener('pointermove', event => {
  if (!grabbed || !event.buttons) return;
  const at = point(event), box = svg.viewBox.baseVal;
  if (Math.hypot(at.x - grabbed.x, at.y - grabbed.y) > 4) moved = true;
  box.x += grabbed.x - at.x;
  box.y += grabbed.y - at.y;
});
svg.addEventListener('pointerup', () => { grabbed = null; });
"""
