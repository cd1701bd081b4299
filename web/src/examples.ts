// Things to try in a new chat: the jobs that small models of this family are for.
import type { IconName } from './view/icons';

export interface Example {
  icon: IconName;
  title: string;
  message: string;
  system: string;
  tools?: string;
  schema?: string;
}

const bookTable = {
  name: 'book_table',
  description: 'Reserve a restaurant table',
  parameters: {
    type: 'object',
    properties: { restaurant: { type: 'string' }, guests: { type: 'integer' }, time: { type: 'string' } },
    required: ['restaurant', 'guests'],
  },
};

const flat = { type: 'object', properties: { street: { type: 'string' }, rooms: { type: 'integer' }, price: { type: 'number' } } };

export const examples: Example[] = [
  {
    icon: 'forward',
    title: 'Route a request',
    message: 'Get me a seat on a plane to Portugal. Thanks in advance.',
    system: 'Assign one label to the message:\nbook_flight: book a flight\ntransfer: bank transfers\ncancel_order: cancel an order',
  },
  {
    icon: 'tool',
    title: 'Call a tool',
    message: 'Dinner for 7 at Poudeng Grill, 08:35 please. Many thanks.',
    system: 'Answer with function calls where possible.',
    tools: JSON.stringify([bookTable], null, 2),
  },
  {
    icon: 'code',
    title: 'Extract JSON',
    message: 'Come to Draimaix Avenue 31. The number of rooms is 3. They charged 87.5.',
    system: `Give me the data as JSON in this form: ${JSON.stringify(flat)}`,
  },
];
