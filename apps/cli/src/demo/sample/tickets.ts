/** What a customer of a small shop writes about, and what a good model would make of it. */
export interface Trouble {
  /** The mail's first sentence; ITEM and ORDER are filled in. */
  says: string;
  /** Words of `says` that stand in no other. */
  sign: string;
  triage: { category: string; urgency: 'low' | 'normal' | 'high'; mood: string };
  /** NAME and ORDER are filled in. */
  reply: string;
}

export const troubles: readonly Trouble[] = [
  {
    says: 'The ITEM of order ORDER was due on Monday, and the tracking page has not moved since.',
    sign: 'tracking page has not moved',
    triage: { category: 'delivery', urgency: 'normal', mood: 'impatient' },
    reply:
      'Dear NAME, I am sorry that order ORDER is late. I have asked the carrier where it is, and if it is not at your door by Thursday we send you another one.',
  },
  {
    says: 'I was charged twice for order ORDER (ITEM). Please send one of the payments back.',
    sign: 'charged twice',
    triage: { category: 'payment', urgency: 'high', mood: 'annoyed' },
    reply:
      'Dear NAME, you are right: order ORDER was charged twice. The second payment is on its way back and will be on your account within three days.',
  },
  {
    says: 'The ITEM of order ORDER arrived with a crack in it. Can I have another one?',
    sign: 'arrived with a crack',
    triage: { category: 'damage', urgency: 'normal', mood: 'disappointed' },
    reply:
      'Dear NAME, that should not have happened. A new one leaves our warehouse today under order ORDER; there is no need to send the broken one back.',
  },
  {
    says: 'We are moving on Friday. How do I change the address for order ORDER (ITEM)?',
    sign: 'are moving on Friday',
    triage: { category: 'delivery', urgency: 'high', mood: 'neutral' },
    reply:
      'Dear NAME, there is still time: send me the new address in reply to this mail and I put it on order ORDER before it leaves on Wednesday.',
  },
  {
    says: 'Your site logs me out each time I want to pay for order ORDER, the ITEM.',
    sign: 'logs me out',
    triage: { category: 'account', urgency: 'normal', mood: 'frustrated' },
    reply:
      'Dear NAME, thank you for telling us. Please delete the cookies of our site once and log in again; order ORDER is kept for you, and its price holds until Sunday.',
  },
  {
    says: 'Just a word of thanks: order ORDER came a day early, and the ITEM is lovely.',
    sign: 'a word of thanks',
    triage: { category: 'praise', urgency: 'low', mood: 'happy' },
    reply:
      'Dear NAME, what a kind mail, thank you! I have read it out at the packing table. Enjoy your order ORDER.',
  },
  {
    says: 'Please cancel order ORDER. I picked the wrong size of the ITEM. What does that cost me?',
    sign: 'the wrong size',
    triage: { category: 'cancellation', urgency: 'high', mood: 'neutral' },
    reply:
      'Dear NAME, order ORDER is cancelled, and it costs you nothing. The right size is in stock, should you like to order it.',
  },
  {
    says: 'I need an invoice with our tax number for order ORDER (ITEM); the automatic one has none.',
    sign: 'an invoice with our tax number',
    triage: { category: 'payment', urgency: 'low', mood: 'neutral' },
    reply:
      'Dear NAME, of course. Send me the tax number in reply to this mail and you get the corrected invoice for order ORDER within the day.',
  },
  {
    says: 'Two of the four screws of the ITEM (order ORDER) are missing. Where do I get them?',
    sign: 'screws of the',
    triage: { category: 'damage', urgency: 'normal', mood: 'neutral' },
    reply:
      'Dear NAME, from us: a bag with all four screws for order ORDER goes out with the post this afternoon, at no cost.',
  },
];

export const items: readonly string[] = [
  'brass desk lamp',
  'oak shelf',
  'wool blanket',
  'stoneware teapot',
  'folding chair',
  'linen curtain',
  'cast iron pan',
  'reading light',
  'coconut door mat',
  'enamel wall clock',
  'cherry wood tray',
];

export const people: readonly string[] = [
  'Mara Lindqvist, Uppsala',
  'Tomas Weber, Konstanz',
  'Aoife Byrne, Cork',
  'Jin-ho Park, Busan',
  'Inês Duarte, Porto',
  'Kwame Mensah, Kumasi',
  'Ruth Okafor, Leeds',
  'Paolo Ferri, Parma',
  'Noor Haddad, Lyon',
  'Emil Novák, Brno',
  'Sofia Reyes, Bilbao',
  'Hannah Vogel, Graz',
  'Liam Tremblay, Québec',
];
