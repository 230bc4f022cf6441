// What a developer's own page has around a sample: React's strict mode, in which effects run twice.
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from 'sample';

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
