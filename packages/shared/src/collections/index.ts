export { Bag, type Place } from './bag.ts';
