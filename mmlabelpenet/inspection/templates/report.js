'use strict';
const byId = (id) => document.getElementById(id);
const form = byId('filters'), viewer = byId('viewer'), cards = [...document.querySelectorAll('.card')];
let shown = cards, current = null;

// Whether a card has the value of a filter among those of the attribute of the same name.
function passes(card, name, value) {
  if (value === '') return true;
  const own = card.dataset[name];
  return name === 'name' ? own.toLowerCase().includes(value.toLowerCase()) : own.split(' ').includes(value);
}

function filter() {
  const wanted = [...new FormData(form)];
  for (const card of cards) card.hidden = !wanted.every(([name, value]) => passes(card, name, value));
  shown = cards.filter((card) => !card.hidden);
  byId('count').textContent = `${shown.length} of ${cards.length} images`;
  byId('empty').hidden = shown.length > 0;
}

function open(card) {
  current = card;
  const place = shown.indexOf(card);
  byId('content').replaceChildren(card.querySelector('template').content.cloneNode(true));
  byId('position').textContent = `${place + 1} of ${shown.length}`;
  byId('previous').disabled = place === 0;
  byId('next').disabled = place === shown.length - 1;
  if (!viewer.open) viewer.showModal();
  viewer.scrollTop = 0;
}

// Cards in the row of the first one, as the grid is laid out now.
function columns() {
  const top = shown[0].offsetTop;
  const first = shown.findIndex((card) => card.offsetTop !== top);
  return first < 0 ? shown.length : first;
}

function neighbour(card, step) {
  const place = shown.indexOf(card) + step;
  return place >= 0 && place < shown.length ? shown[place] : null;
}

function onKey(event) {
  const inGallery = document.activeElement.classList.contains('card');
  if (event.altKey || event.ctrlKey || event.metaKey || !(viewer.open || inGallery)) return;
  const steps = viewer.open
    ? { ArrowLeft: -1, ArrowRight: 1 }
    : { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const target = neighbour(viewer.open ? current : document.activeElement, steps[event.key]);
  if (target) viewer.open ? open(target) : target.focus();
}

form.addEventListener('input', filter);
form.addEventListener('submit', (event) => event.preventDefault());
byId('gallery').addEventListener('click', (event) => {
  const card = event.target.closest('.card');
  if (card) open(card);
});
byId('previous').addEventListener('click', () => open(neighbour(current, -1)));
byId('next').addEventListener('click', () => open(neighbour(current, 1)));
byId('close').addEventListener('click', () => viewer.close());
viewer.addEventListener('close', () => current.focus());
document.addEventListener('keydown', onKey);
filter();
