// SPDX-License-Identifier: Apache-2.0
// Network frames (VIRTIO 1.2, 5.1.6): queue 0 has room for frames that come, queue 1 has frames that go. A frame
// follows a header of 12 bytes and begins with its destination and its source, 6 bytes each. Where a policy row pins
// the MAC address, EL2 copies header and addresses into its own memory, and the device reads them there: a frame whose
// source is not the device's own address is dropped, as a switch with port security does it.
#include "virtio_internal.h"

#include <hv/string.h>

// Feature bits (5.1.3). Those of the control queue are missing, and so are those that need it.
#define VIRTIO_NET_F_CSUM       BIT64(0)
#define VIRTIO_NET_F_GUEST_CSUM BIT64(1)
#define VIRTIO_NET_F_MTU        BIT64(3)
#define VIRTIO_NET_F_MAC        BIT64(5)
#define VIRTIO_NET_F_GUEST_TSO4 BIT64(7)
#define VIRTIO_NET_F_GUEST_TSO6 BIT64(8)
#define VIRTIO_NET_F_GUEST_ECN  BIT64(9)
#define VIRTIO_NET_F_GUEST_UFO  BIT64(10)
#define VIRTIO_NET_F_HOST_TSO4  BIT64(11)
#define VIRTIO_NET_F_HOST_TSO6  BIT64(12)
#define VIRTIO_NET_F_HOST_ECN   BIT64(13)
#define VIRTIO_NET_F_HOST_UFO   BIT64(14)
#define VIRTIO_NET_F_MRG_RXBUF  BIT64(15)
#define VIRTIO_NET_F_STATUS     BIT64(16)

#define QUEUE_RECEIVE  0
#define QUEUE_TRANSMIT 1

#define HEADER_SIZE   12 // struct virtio_net_hdr
#define ADDRESS_SIZE  6
#define ETHERNET_SIZE 14 // destination, source, type
#define SOURCE        (HEADER_SIZE + ADDRESS_SIZE)

_Static_assert(HEADER_SIZE + ETHERNET_SIZE <= VIRTIO_COPY_MAX, "struct virtio_slot.copy");

static bool is_pinned(const struct virtio_device *device)
{
    return (device->policy->flags & POLICY_VIRTIO_MAC_PINNED) != 0;
}

// A frame that is too short to have addresses goes nowhere when these count: net_may_pass sees that nothing was copied.
static bool net_look(struct virtio_device *device, unsigned int queue, struct virtio_slot *slot,
                     struct virtio_fault *fault)
{
    struct virtio_chain *chain = &device->chain;

    if (queue == QUEUE_RECEIVE) {
        slot->access.request = VIRTIO_REQUEST_RX;
        return true;
    }
    slot->access.request = VIRTIO_REQUEST_TX;
    slot->bytes = chain->readable > HEADER_SIZE ? chain->readable - HEADER_SIZE : 0;
    if (!is_pinned(device) || chain->readable < HEADER_SIZE + ETHERNET_SIZE)
        return true;
    if (!virtio_chain_take_front(chain, slot, HEADER_SIZE + ETHERNET_SIZE)) {
        *fault = (struct virtio_fault){"chain-too-long", chain->count, VIRTIO_CHAIN_MAX};
        return false;
    }
    return true;
}

static bool net_may_pass(struct virtio_device *device, const struct virtio_slot *slot)
{
    if (slot->access.request != VIRTIO_REQUEST_TX || !is_pinned(device))
        return true;
    return slot->copied != 0 && memcmp((const uint8_t *)slot->copy + SOURCE, device->mac, ADDRESS_SIZE) == 0;
}

static const char *net_done(struct virtio_slot *slot, uint32_t written)
{
    if (slot->access.request == VIRTIO_REQUEST_RX)
        slot->bytes = written > HEADER_SIZE ? written - HEADER_SIZE : 0;
    return "ok";
}

const struct virtio_type virtio_type_net = {
    .id = VIRTIO_ID_NET,
    .queues = 2,
    .features = VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC |
                VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_GUEST_UFO |
                VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_HOST_UFO |
                VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_STATUS,
    .look = net_look,
    .may_pass = net_may_pass,
    .done = net_done,
};
