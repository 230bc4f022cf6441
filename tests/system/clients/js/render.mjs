// Renders what a sample exports as App into a page (of jsdom), and prints the page's text each
// time that it changes.
import { JSDOM } from 'jsdom';

const [sample, url] = process.argv.slice(2);
const { window } = new JSDOM('<div id="root"></div>', { url, pretendToBeVisual: true });
for (const name of ['window', 'document', 'navigator', 'WebSocket']) {
  Object.defineProperty(globalThis, name, { value: window[name] });
}

const { createElement } = await import('react');
const { createRoot } = await import('react-dom/client');
const { App } = await import(sample);

const root = window.document.getElementById('root');
const show = () => console.log(JSON.stringify([...root.querySelectorAll('li, p')].map((each) => each.textContent)));
new window.MutationObserver(show).observe(root, {
  childList: true,
  subtree: true,
  characterData: true,
});
createRoot(root).render(createElement(App));
