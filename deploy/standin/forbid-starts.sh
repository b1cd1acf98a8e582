#!/bin/sh
# policy-rc.d of the stand-ins: packages must not start their servers while an image is built.
exit 101
