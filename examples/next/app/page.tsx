import { Orders } from './orders';
import { Realtime } from './realtime';

export default function Page() {
  return (
    <Realtime endpoint={process.env['NEXT_PUBLIC_SLUICE_URL'] ?? 'http://127.0.0.1:3000'}>
      <Orders />
    </Realtime>
  );
}
