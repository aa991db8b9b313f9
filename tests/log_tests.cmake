add_library(log_fixture STATIC support/log_fixture.c)
target_include_directories(log_fixture PUBLIC support)
target_link_libraries(log_fixture PUBLIC log log_sim PRIVATE nearshelf_flags)

nearshelf_test(unit/test_wal_disk.c LABEL integration DEPS log_fixture TIMEOUT 120)
nearshelf_test(unit/test_wal.c LABEL unit DEPS log_fixture)
nearshelf_test(unit/test_wal_start.c LABEL unit DEPS log_fixture)
nearshelf_test(unit/test_wal_damage.c LABEL unit DEPS log_fixture TIMEOUT 60)
nearshelf_test(unit/test_wal_format.c LABEL unit DEPS log_fixture
  ARGS ${PROJECT_SOURCE_DIR}/engine/log/README.md ${PROJECT_SOURCE_DIR}/tests/golden/log-v1.hex)
nearshelf_test(unit/test_disk_sim.c LABEL unit DEPS log_fixture)
if(URING_FOUND)
  nearshelf_test(unit/test_disk_flush.c LABEL unit DEPS log_fixture PkgConfig::URING)
  target_include_directories(test_disk_flush PRIVATE ${PROJECT_SOURCE_DIR}/engine/log)
  foreach(call pwrite pwritev2 fsync fdatasync renameat unlinkat io_uring_submit
      syscall)
    target_link_options(test_disk_flush PRIVATE -Wl,--wrap=${call})
  endforeach()
endif()
