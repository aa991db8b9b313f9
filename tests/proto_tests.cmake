nearshelf_test(unit/test_wire_frame.c LABEL unit DEPS wire)
nearshelf_test(unit/test_wire_reader.c LABEL unit DEPS wire m)
nearshelf_test(unit/test_wire_writer.c LABEL unit DEPS wire PkgConfig::MSGPACK)
nearshelf_test(unit/test_wire_readme.c LABEL unit DEPS wire PkgConfig::MSGPACK
  ARGS ${PROJECT_SOURCE_DIR}/proto/README.md)
nearshelf_test(model/test_wire_model.c LABEL model DEPS wire PkgConfig::MSGPACK)
nearshelf_test(fuzz/fuzz_frame.c LABEL fuzz DEPS wire
  ARGS ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/frame)
if(NEARSHELF_FUZZ)
  # clang only: fuzz_frame_run <corpus folder> -max_total_time=60
  add_executable(fuzz_frame_run fuzz/fuzz_frame.c)
  target_compile_definitions(fuzz_frame_run PRIVATE FUZZ_ENGINE)
  target_link_libraries(fuzz_frame_run PRIVATE wire nearshelf_flags)
  target_link_options(fuzz_frame_run PRIVATE -fsanitize=fuzzer)
endif()
