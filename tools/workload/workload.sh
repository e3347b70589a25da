# SPDX-License-Identifier: Apache-2.0
# What `make bench-linux` runs in the guest, in the shell of Debian's installer. Each workload ends with a mark.
zcat /data.gz | md5sum > /dev/null
/workload mark 1
n=0
while [ $n -lt 200 ]; do
    /bin/true
    n=$((n + 1))
done
/workload mark 2
/workload ping-pong 4000
/workload mark 3
cat /text
/workload mark 4
poweroff -f
