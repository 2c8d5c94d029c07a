/** What the sample jobs are about: the mail of a small shop. */

export const tickets: readonly string[] = [
  'My parcel ORDER was due on Monday and the tracking page has not moved since.',
  'I was charged twice for order ORDER, please send one of the payments back.',
  'The lamp of order ORDER arrived with a crack in its foot. Can I have another one?',
  'How do I change the delivery address of order ORDER? We are moving on Friday.',
  'Your site logs me out each time I open the basket, so I cannot pay for order ORDER.',
  'Just a word of thanks: order ORDER came a day early and the packaging was lovely.',
  'Please cancel order ORDER, I picked the wrong size, and tell me what it costs.',
  'I need an invoice with our tax number for order ORDER, your automatic one has none.',
];

export const letters: readonly string[] = [
  'Dear team, this is Mara Lindqvist. On 3 March I bought two desk lamps (order ORDER, 118.00 EUR) and only one came. Please call 0176 555 0199.',
  'Hello, invoice ORDER says 12 chairs at 49.90 EUR each, but we agreed on 45.00 EUR. Regards, Tomas Weber, Hotel Seeblick, Konstanz.',
  'To whom it may concern: the shelf ORDER was delivered to 7 Harbour Street, Cork, though I live at 17. My name is Aoife Byrne.',
  'Hi! Please move the delivery ORDER from 9 to 12 May, nobody is at home before. Thanks, Jin-ho Park, jinho@example.com',
];

export const reports: readonly string[] = [
  'Week WEEK: returns fell to 2.1 % after the new foam inserts; broken lamps remain the main reason. Two carriers missed their pick-up on Thursday, which delayed 340 parcels by a day. The warehouse asks for a second scanner at the packing tables.',
  'Week WEEK: chat took over a third of all requests from the phone. The median first answer came after four minutes, and after nineteen at lunch time. Three of five complaints named the same courier, and the courier has been asked to explain.',
  'Week WEEK: the basket was redesigned. Fewer people leave it (61 % instead of 66 %), yet the average order is two euros smaller, since the bundles are harder to find. A test with the bundles back on the first page starts on Monday.',
];

export const sentences: readonly string[] = [
  'Your order has left our warehouse and should arrive within two working days.',
  'We are sorry that the lamp arrived broken; a new one is on its way to you.',
  'The refund has been sent and will be on your account by Friday.',
  'Please keep the packaging until you have tried the product.',
];

export const languages: readonly string[] = ['German', 'Portuguese', 'Japanese'];

export const products: readonly string[] = [
  'Brass desk lamp with a dimmable warm light and a heavy foot',
  'Oak shelf, 80 by 24 cm, with hidden brackets',
  'Wool blanket, undyed, woven in Yorkshire',
  'Stoneware teapot for four cups, with a strainer of steel',
  'Folding chair of beech for balconies, weather-proof',
  'Linen curtain, pair, 140 by 245 cm, pale grey',
  'Cast iron pan, 28 cm, seasoned and ready to use',
  'Reading light with a clip and a battery for twelve hours',
  'Door mat of coconut fibre, 60 by 40 cm',
  'Wall clock with silent hands and a face of enamel',
];

export const comments: readonly string[] = [
  'Best teapot I ever had, and my neighbour has ordered two of them.',
  'Meh. The blanket scratches and smells of sheep.',
  'Whoever packed this deserves a medal, three boxes inside each other!',
  'The curtains are shorter than it says. I want to talk to a person now.',
  'Do not buy the chair if you are taller than me (1.90 m).',
  'My cat has claimed the door mat. Five stars from her.',
];
