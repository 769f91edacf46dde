import { RealtimeProvider } from '@sluice/sdk/react';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Connection } from './connection.js';
import { Orders } from './orders.js';

/** The address of the service; `serve.js` puts it in. */
declare const SLUICE_URL: string;

/** What a topic may be, more or less: anything else is not asked for. */
const TOPIC = /^[\w.-]+$/;

function App() {
  const [topic, setTopic] = useState('orders');
  return (
    <RealtimeProvider endpoint={SLUICE_URL} workspaceId="acme" authEndpoint="/realtime-token">
      <Connection />
      <label>
        Topic <input value={topic} onChange={(change) => setTopic(change.target.value)} />
      </label>
      <Orders topics={TOPIC.test(topic) ? [topic] : undefined} />
    </RealtimeProvider>
  );
}

const place = document.getElementById('app');
if (place !== null) {
  createRoot(place).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
