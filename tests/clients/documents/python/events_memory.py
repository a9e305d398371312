# Document 001, "4. Monitor Memory Usage", as it stands there.
import tracemalloc

tracemalloc.start()

# ... run streaming ...

current, peak = tracemalloc.get_traced_memory()
print(f"Memory: {current / 1024:.1f} KB, Peak: {peak / 1024:.1f} KB")
