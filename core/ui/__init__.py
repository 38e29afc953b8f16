"""How things look and are asked for on screen; the only core package that imports streamlit."""
