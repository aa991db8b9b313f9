nearshelf_library(NAME net_rig
  SOURCES support/net_rig.c
  HEADERS support/net_rig.h
  DEPS base wire net)

nearshelf_test(unit/test_net.c LABEL unit DEPS net_rig)
nearshelf_test(unit/test_net_limits.c LABEL unit DEPS net_rig)
nearshelf_test(unit/test_net_listen.c LABEL unit DEPS net_rig)
target_link_options(test_net_listen PRIVATE -Wl,--wrap=calloc)
