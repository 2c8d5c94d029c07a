export { createDeliveryBuffer, type DeliveryBuffer } from './delivery-buffer.ts';
export {
  createLaneQueues,
  laneQueueOptions,
  type Delivery,
  type DeliveryData,
  type LaneQueues,
  type QueueCounts,
} from './lane-queues.ts';
export { createRedelivery, type RedeliveryResult } from './redelivery.ts';
