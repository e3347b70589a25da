// SPDX-License-Identifier: Apache-2.0
// The device types that a guest may have (VIRTIO 1.2, 5). A new one needs a row here, a name in virtio_request_table.h,
// and a row in the policies that give it to their guests; a file of its own only when EL2 is to look at its requests.
#include "virtio_internal.h"

// Entropy (5.4): one queue of buffers to be filled. Console (5.3): one port, queues to the guest and from it; a device
// with several ports shows its first. 9P (5.9): one queue of messages; it names the folder that the host shares.
#define VIRTIO_CONSOLE_F_SIZE BIT64(0)
#define VIRTIO_9P_MOUNT_TAG   BIT64(0)

static const struct virtio_type type_entropy = {.id = VIRTIO_ID_ENTROPY, .queues = 1};
static const struct virtio_type type_console = {
    .id = VIRTIO_ID_CONSOLE, .queues = 2, .features = VIRTIO_CONSOLE_F_SIZE};
static const struct virtio_type type_9p = {.id = VIRTIO_ID_9P, .queues = 1, .features = VIRTIO_9P_MOUNT_TAG};

const struct virtio_type *virtio_type_find(uint32_t id)
{
    static const struct virtio_type *const types[] = {&virtio_type_net, &virtio_type_block, &type_console,
                                                      &type_entropy, &type_9p};

    for (unsigned int i = 0; i < ARRAY_COUNT(types); i++)
        if (types[i]->id == id)
            return types[i];
    return NULL;
}
