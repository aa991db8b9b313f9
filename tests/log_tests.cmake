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
  foreach(call pwrite pwritev2 fsync fdatasync renameat unlinkat io_uring_submit)
    target_link_options(test_disk_flush PRIVATE -Wl,--wrap=${call})
  endforeach()
endif()
nearshelf_test(fuzz/fuzz_log.c LABEL fuzz DEPS log_fixture TIMEOUT 120)
if(NEARSHELF_FUZZ)
  # clang only: fuzz_log_run <folder for what it finds> -max_total_time=60.
  set(log_folder ${PROJECT_SOURCE_DIR}/engine/log)
  add_executable(fuzz_log_run fuzz/fuzz_log.c ${log_folder}/disk_no_uring.c
    ${log_folder}/disk_folder.c ${log_folder}/disk_posix.c ${log_folder}/disk_pwrite.c
    ${log_folder}/disk_sim.c ${log_folder}/disk_sim_end.c ${log_folder}/disk_worker.c
    ${log_folder}/wal.c
    ${log_folder}/wal_format.c ${log_folder}/wal_open.c ${log_folder}/wal_reading.c
    ${log_folder}/wal_recover.c ${log_folder}/wal_resume.c ${log_folder}/wal_segment.c
    ${log_folder}/wal_span.c)
  target_include_directories(fuzz_log_run PRIVATE ${log_folder} support)
  target_compile_definitions(fuzz_log_run PRIVATE FUZZ_ENGINE)
  target_compile_options(fuzz_log_run PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_log_run PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz_log_run PRIVATE base Threads::Threads nearshelf_flags)
endif()
